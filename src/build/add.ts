/**
 * What ADD does beyond COPY: archives are unpacked, files of the web are downloaded.
 */
import { Failure } from "../failure.ts";
import { NotAnArchive, sumFiles, unpackLayer } from "../image/codec.ts";
import { timespec } from "../linux/clock.ts";
import { call } from "../linux/error.ts";
import { makeDirectory, O_RDONLY, O_WRONLY, openHost } from "../linux/hostpath.ts";
import { read } from "../linux/io.ts";
import { openInRoot } from "../linux/rootpath.ts";
import { refusePassword } from "./address.ts";
import type { FilesSource, Source } from "./copy.ts";
import { isRepository } from "./git.ts";
import type { Site } from "./site.ts";
import { findSources, openTree } from "./tree.ts";

const BLOCK_BYTES = 512;
const DOWNLOADED_MODE = 0o600;
/** First bytes of archives, and where they stand: gzip, zstd, bzip2, xz, tar. */
const MAGICS: readonly (readonly [at: number, bytes: readonly number[]])[] = [
  [0, [0x1f, 0x8b]],
  [0, [0x28, 0xb5, 0x2f, 0xfd]],
  [0, [0x42, 0x5a, 0x68]],
  [0, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  [257, [0x75, 0x73, 0x74, 0x61, 0x72]],
];

export const isDownload = (source: string): boolean => /^https?:\/\//.test(source) && !isRepository(source);

/** The name of a file that is downloaded: the last part of its address. Pure. */
export function nameOfAddress(url: string): string {
  const path = url.replace(/^https?:\/\/[^/?#]*/, "").replace(/[?#].*$/, "");
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Downloads a file for ADD: its mode is 600, as with docker. */
export async function downloadSource(site: Site, url: string, checksum: string | undefined): Promise<FilesSource> {
  refusePassword(url);
  const name = nameOfAddress(url);
  if (name === "" || name === "." || name === "..")
    throw new Failure(`'${url}' names no file`, { hint: "its path must end with the name of a file" });
  const directory = site.staging.newPath();
  makeDirectory(directory);
  const path = `${directory}/${name}`;
  const { modifiedMs } = await site.download(url, path);
  if (checksum !== undefined) checkSum(directory, url, checksum);
  using file = openHost(path, O_WRONLY);
  call("fchmod", path, file.fd, DOWNLOADED_MODE);
  const time = timespec.encode({ seconds: Math.floor((modifiedMs ?? 0) / 1000) });
  const times = new Uint8Array(timespec.size * 2);
  times.set(time);
  times.set(time, timespec.size);
  call("utimensat", path, file.fd, null, times, 0);
  const tree = site.stack.use(openTree(directory, { about: url, ignore: undefined, keepsOwners: false }));
  const [found] = findSources(tree, name);
  if (found === undefined) throw new Failure(`the file of '${url}' went while it was added`);
  return { kind: "files", tree, found, kept: undefined };
}

function checkSum(directory: string, url: string, checksum: string): void {
  const [sum] = sumFiles(directory);
  if (sum?.digest === checksum) return;
  throw new Failure(`'${url}' is not what it should be: ${sum?.digest ?? "empty"}, not ${checksum}`, {
    hint: "--checksum is the digest of the file: sha256:<64 hexadecimal digits>",
  });
}

function looksLikeArchive(fd: number, about: string): boolean {
  const block = new Uint8Array(BLOCK_BYTES);
  const length = read(fd, block, about);
  return MAGICS.some(
    ([at, bytes]) => at + bytes.length <= length && bytes.every((byte, index) => block[at + index] === byte),
  );
}

/** What an archive has, unpacked; undefined if the file is none. */
export function unpackedSource(site: Site, source: FilesSource): Source | undefined {
  const { found, tree: from } = source;
  if (found.status.type !== "file") return undefined;
  const about = `${found.asked} of ${from.about}`;
  using file = openInRoot(from.root.fd, found.path, O_RDONLY);
  if (!looksLikeArchive(file.fd, about)) return undefined;
  call("lseek", about, file.fd, 0, 0);
  const directory = site.staging.newDirectory();
  try {
    unpackLayer(file, directory, {}, about);
    const tree = site.stack.use(openTree(directory, { about, ignore: undefined, keepsOwners: true }));
    return { kind: "unpacked", tree };
  } catch (error) {
    // Something else that is compressed is a file like others.
    if (error instanceof NotAnArchive) return undefined;
    throw error;
  }
}
