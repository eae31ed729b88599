/**
 * The files of an archive of images, by what the archive calls them.
 */
import { Failure } from "../failure.ts";
import { readText } from "../linux/hostpath.ts";
import type { Member } from "./codec.ts";
import { type Descriptor, DOCUMENT_LIMIT_BYTES } from "./manifest.ts";
import { hexOf } from "./reference.ts";

/** Archives of old link the layers that images share: link to link to file. */
const LINK_DEPTH_LIMIT = 8;

/** A file of the archive, in the staging place. */
export interface StagedFile {
  readonly path: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

/** A relative link's target as a path of the archive: pure; undefined if it leads out. */
export function followLink(from: string, target: string): string | undefined {
  const parts = target.startsWith("/") ? [] : from.split("/").slice(0, -1);
  for (const part of target.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join("/");
}

export class Members {
  readonly #members: ReadonlyMap<string, Member>;
  readonly #directory: string;
  readonly about: string;

  constructor(members: readonly Member[], directory: string, about: string) {
    this.#members = new Map(members.map((member) => [member.path, member]));
    this.#directory = directory;
    this.about = about;
  }

  has(path: string): boolean {
    return this.#members.has(path);
  }

  /** The file of that path, through links. Throws a Failure if there is none. */
  file(path: string): StagedFile {
    let at: string | undefined = path;
    for (let depth = 0; depth < LINK_DEPTH_LIMIT && at !== undefined; depth++) {
      const member: Member | undefined = this.#members.get(at);
      if (member === undefined) break;
      const { file, size, digest, target } = member;
      if (file !== undefined && size !== undefined && digest !== undefined) {
        return { path: `${this.#directory}/${file}`, digest, sizeBytes: size };
      }
      at = target === undefined ? undefined : followLink(at, target);
    }
    throw new Failure(`${this.about} is not complete: '${path}' is missing`, { hint: "make or copy it again" });
  }

  /** The text of a file that is a document of an image. */
  text(file: StagedFile, what: string): string {
    if (file.sizeBytes > DOCUMENT_LIMIT_BYTES) {
      throw new Failure(`${what} of ${this.about} is larger than ${DOCUMENT_LIMIT_BYTES} bytes`);
    }
    return readText(file.path);
  }

  /** The blob of a descriptor (OCI layout): exactly as long as announced, and what its digest says. */
  blob({ digest, size }: Descriptor): StagedFile {
    const file = this.file(`blobs/sha256/${hexOf(digest)}`);
    if (file.digest !== digest || file.sizeBytes !== size) {
      throw new Failure(`${this.about} is damaged: the blob ${digest} has another digest or size`, {
        hint: "make or copy it again",
      });
    }
    return file;
  }
}
