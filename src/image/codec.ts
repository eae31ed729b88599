/**
 * The codec (native/codec), the program that reads archives: what it is asked, and what it answers.
 */
import { Failure } from "../failure.ts";
import { STATUS_NO_CAGE } from "../linux/cage.ts";
import { isErrno, KernelError } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { openHost } from "../linux/hostpath.ts";
import { sendSignal } from "../linux/process.ts";
import { besideExecutable } from "../linux/program.ts";
import { SIG } from "../linux/signal.ts";
import { type AtWork, type Caged, endOf, startOn, type World } from "./confine.ts";
import { hexOf } from "./reference.ts";

/** More than any image has; each is far below what would hurt the host. */
const LIMITS = {
  /** Entries of one layer. */
  entries: 1_000_000,
  /** Files of an archive of images: blobs, and a few that describe them. */
  members: 10_000,
  /** Unpacked, with what tar adds. */
  bytes: 128 * 1024 ** 3,
  /** Directories in one another. */
  depth: 256,
} as const;

/** Exit statuses: native/codec/src/failure.rs. */
const STATUS = {
  notAnArchive: 3,
  malformed: 4,
  system: 5,
  full: 6,
  mismatch: 7,
  tooLarge: 8,
  unread: 9,
  conflict: 10,
} as const;

const AGAIN = "make or copy it again";

/** What was to be read is something else. */
export class NotAnArchive extends Failure {}

export interface Sums {
  /** Of the bytes as they came. */
  readonly digest: string;
  readonly size: number;
  /** Of the archive without compression. */
  readonly diffId: string;
  readonly unpackedSize: number;
  readonly compression: "none" | "gzip" | "zstd";
}

/** What an archive may be that is no layer as it is. */
export type AnyCompression = Sums["compression"] | "bzip2" | "xz";

export interface UnpackedLayer extends Omit<Sums, "compression"> {
  /** `bzip2` and `xz` only if no digest was expected. */
  readonly compression: AnyCompression;
  readonly entries: number;
  readonly fileBytes: number;
  readonly droppedXattrs: number;
  /** Directories that hide those of the layers below; overlayfs is to be told. */
  readonly opaque: readonly string[];
  /** Directories that the archive needs and does not have; the root is "". */
  readonly implied: readonly string[];
}

export interface Member {
  /** What the archive calls it. */
  readonly path: string;
  /** The file's name in the directory; undefined for links. */
  readonly file?: string;
  readonly size?: number;
  readonly digest?: string;
  /** Where a link leads. */
  readonly target?: string;
}

export interface SplitArchive extends Sums {
  readonly members: readonly Member[];
}

export interface Expected {
  readonly digest?: string;
  readonly sizeBytes?: number;
}

function start(
  command: "unpack" | "split" | "pack" | "sum" | "digest",
  options: readonly string[],
  world: World,
  archive: Handle,
  more: readonly Handle[] = [],
): AtWork {
  const path = besideExecutable("mycontainer-codec");
  try {
    using program = openHost(path, 0);
    return startOn(program, ["mycontainer-codec", command, ...options], world, archive, more);
  } catch (error) {
    if (!isErrno(error, "ENOENT") || error.about !== path) throw error;
    throw new Failure(`${path} is missing`, { hint: "it is built together with mycontainer: 'npm run build'" });
  }
}

/** The reader of an archive ended before its writer did, and knows why. */
export class UnreadFailure extends Failure {}

/** The codec's answer, or what it complains of as a Failure. `about` is what the user knows the archive by. */
function answerOf({ ending, answer, complaint }: Caged, about: string, kind: string, wanted: string): unknown {
  if (ending.kind === "killed") throw new Failure(`work on ${about} was ended by signal ${ending.signal}`);
  switch (ending.status) {
    case 0:
      // The codec's own words: native/codec/src/json.rs.
      return JSON.parse(answer);
    case STATUS.notAnArchive:
      throw new NotAnArchive(`${about} is no ${kind}: ${complaint}`, { hint: wanted });
    case STATUS.malformed:
      throw new Failure(`${about} is damaged: ${complaint}`, { hint: AGAIN });
    case STATUS.mismatch:
      throw new Failure(`${about} is not what it should be: ${complaint}`, { hint: AGAIN });
    case STATUS.tooLarge:
      throw new Failure(`${about} is refused: ${complaint}`);
    case STATUS.full:
      throw new KernelError("write", 28, complaint);
    case STATUS.unread:
      throw new UnreadFailure("whoever reads the archive has gone before its end");
    case STATUS.conflict:
      throw new Failure(complaint, { hint: "remove it first, or copy to another place" });
    case STATUS_NO_CAGE:
      throw new Failure(`cannot confine the program that reads archives: ${complaint}`, { hint: "run it as root" });
    default:
      throw new Failure(`cannot ${kind === "tree" ? "pack" : "unpack"} ${about}: ${complaint}`);
  }
}

/** An archive that is being read or written. Whoever started it reads its end, or gives it up with its scope. */
export interface Working<Done> extends Disposable {
  /** Becomes readable when there is nothing left to do but to call `end`. */
  readonly readyFd: number;
  /** Waits for the end. Throws a Failure if the archive is damaged or not what was expected. */
  readonly end: () => Done;
  /** Has it end soon, and `end` throw. */
  readonly stop: () => void;
}

export type Unpacking = Working<UnpackedLayer>;

function working<Done>(work: AtWork, about: string, kind: string, wanted: string): Working<Done> {
  return {
    readyFd: work.answer.fd,
    end: () => answerOf(endOf(work), about, kind, wanted) as Done,
    stop: () => {
      sendSignal(work.child.pidfd.fd, SIG.KILL);
    },
    [Symbol.dispose]: () => work[Symbol.dispose](),
  };
}

const unpackLimits = (): string[] => [
  "--max-entries",
  `${LIMITS.entries}`,
  "--max-bytes",
  `${LIMITS.bytes}`,
  "--max-depth",
  `${LIMITS.depth}`,
];

/** Begins to unpack a layer's archive, as its bytes come, into a directory, which must be empty. */
export function startUnpacking(archive: Handle, directory: string, expected: Expected, about: string): Unpacking {
  const options = unpackLimits();
  if (expected.digest !== undefined) options.push("--digest", hexOf(expected.digest));
  if (expected.sizeBytes !== undefined) options.push("--size", `${expected.sizeBytes}`);
  const wanted =
    expected.digest === undefined ? "the archive of a root file system is expected, as 'tar -c' makes it" : AGAIN;
  return working(start("unpack", options, { kind: "writable", directory }, archive), about, "archive", wanted);
}

/** Begins to unpack an archive, as its bytes come, into a tree that has files already. `at` is a directory of it. */
export function startMerging(
  archive: Handle,
  world: World,
  { at, owners }: { readonly at: string; readonly owners: PackOptions["owners"] },
  about: string,
): Working<UnpackedLayer> {
  const options = [...unpackLimits(), "--merge", "yes", "--at", at];
  if (owners !== undefined) options.push("--owners", `${owners.first}:${owners.count}`);
  return working(start("unpack", options, world, archive), about, "archive", "what 'tar -c' makes is expected");
}

/** Unpacks a layer's archive into a directory, which must be empty. */
export function unpackLayer(archive: Handle, directory: string, expected: Expected, about: string): UnpackedLayer {
  return startUnpacking(archive, directory, expected, about).end();
}

/** Writes the files of an archive into a directory, under numbers for names. */
export function splitArchive(archive: Handle, directory: string, about: string): SplitArchive {
  const options = [
    "--max-entries",
    `${LIMITS.members}`,
    "--max-bytes",
    `${LIMITS.bytes}`,
    "--max-depth",
    `${LIMITS.depth}`,
  ];
  const wanted =
    "what 'docker save' or 'skopeo copy' write is expected; for a root file system, use 'mycontainer import'";
  return answerOf(
    endOf(start("split", options, { kind: "writable", directory }, archive)),
    about,
    "archive of images",
    wanted,
  ) as SplitArchive;
}

export interface PackedTree extends Sums {
  readonly entries: number;
  readonly fileBytes: number;
  /** Sockets: no archive can hold them. */
  readonly skipped: number;
}

export interface PackOptions {
  readonly compression: Sums["compression"];
  /** Stands before all names: then the tree itself has that name. */
  readonly prefix?: string;
  /** The owners on disk that are the container's, from 0 on, if its ids are mapped. */
  readonly owners?: { readonly first: number; readonly count: number } | undefined;
  /** If what is packed is an overlay's upper directory: lists of names, each ended by NUL. */
  readonly layer?: {
    readonly opaque: Handle;
    /** What is left out as long as it is empty: it was made to be mounted on. */
    readonly places: Handle;
  };
  /** The directory of the tree that is packed; all of it if not given. */
  readonly at?: string;
  /** The one entry of the directory that is packed; its name in the archive is the prefix. */
  readonly only?: string | undefined;
  /** Directories of which nothing below is packed: `MAJOR:MINOR:INODE`. */
  readonly skip?: readonly string[];
  /** Whether all belongs to root in the archive. */
  readonly asRoot?: boolean;
  /** Whether programs lose what gives privileges to who runs them: set-id bits and capabilities. */
  readonly harmless?: boolean;
}

/** Begins to write a tree into an open file as an archive. `about` is what the user knows the tree by. */
export function startPacking(world: World, archive: Handle, about: string, options: PackOptions): Working<PackedTree> {
  const { compression, prefix = "", owners, layer, at, only, skip = [] } = options;
  const args = ["--max-entries", `${LIMITS.entries}`, "--max-depth", `${LIMITS.depth}`];
  args.push("--compress", compression, "--prefix", prefix, "--layer", layer === undefined ? "no" : "yes");
  if (owners !== undefined) args.push("--owners", `${owners.first}:${owners.count}`);
  if (at !== undefined) args.push("--at", at);
  if (only !== undefined) args.push("--only", only);
  if (skip.length > 0) args.push("--skip", skip.join(","));
  if (options.asRoot === true) args.push("--as-root", "yes");
  if (options.harmless === true) args.push("--harmless", "yes");
  const more = layer === undefined ? [] : [layer.opaque, layer.places];
  return working(start("pack", args, world, archive, more), about, "tree", AGAIN);
}

/** Writes a tree into an open file as an archive. */
export function packTree(world: World, archive: Handle, about: string, options: PackOptions): PackedTree {
  return startPacking(world, archive, about, options).end();
}

/**
 * One digest of files of a tree, and of what is told of each; read in the cage, as many at once as there are processors.
 * @param list paths and notes by turns, each ended by NUL; files whose note begins with `f` are read
 */
export function digestOfFiles(world: World, list: Handle, about: string): { digest: string; size: number } {
  using nothing = openHost("/dev/null", 0);
  return answerOf(endOf(start("digest", [], world, nothing, [list])), about, "tree", AGAIN) as {
    digest: string;
    size: number;
  };
}

export interface FileSum {
  /** The file's name in the directory. */
  readonly file: string;
  readonly digest: string;
  readonly size: number;
}

/** Reads all files of a directory and tells their digests. */
export function sumFiles(directory: string): FileSum[] {
  using nothing = openHost("/dev/null", 0);
  const work = start("sum", [], { kind: "read-only", directory }, nothing);
  return answerOf(endOf(work), directory, "directory", AGAIN) as FileSum[];
}
