/**
 * The context of a build, and the Dockerfile: a directory, or what comes on standard input.
 */
import { Failure } from "../failure.ts";
import { copyTo, openSource } from "../image/arrive.ts";
import { NotAnArchive, unpackLayer } from "../image/codec.ts";
import { isErrno } from "../linux/error.ts";
import { O_RDONLY, openHost, statusOf } from "../linux/hostpath.ts";
import { readAllText } from "../linux/io.ts";
import { openInRootIfThere } from "../linux/rootpath.ts";
import { statusOfFd } from "../linux/status.ts";
import { DOCKERFILE_LIMIT_CHARACTERS } from "./parse-dockerfile.ts";
import { parseIgnore } from "./patterns.ts";
import type { ContextSource } from "./request.ts";
import type { Site } from "./site.ts";
import { openTree, type Tree } from "./tree.ts";

const DEFAULT_FILE = "Dockerfile";
/** What podman calls it, looked for after that. */
const OTHER_FILE = "Containerfile";
const IGNORE_FILE = ".dockerignore";
const FILE_LIMIT_BYTES = 2 * DOCKERFILE_LIMIT_CHARACTERS;
const O_NONBLOCK = 0o4000;

export interface Context {
  readonly tree: Tree;
  readonly dockerfile: { readonly text: string; readonly name: string };
}

/** A text file of a tree; undefined if there is none. */
function textIn(tree: Pick<Tree, "root">, path: string): string | undefined {
  using file = openInRootIfThere(tree.root.fd, path, O_RDONLY | O_NONBLOCK);
  if (file === undefined) return undefined;
  if (statusOfFd(file.fd, path).type !== "file") throw new Failure(`'${path}' of the context is no file`);
  return readLimited(file.fd, path);
}

function readLimited(fd: number, about: string): string {
  try {
    return readAllText(fd, about, FILE_LIMIT_BYTES);
  } catch (error) {
    if (error instanceof RangeError) throw new Failure(`'${about}' is too large for a Dockerfile`);
    throw error;
  }
}

function hostText(path: string): string {
  try {
    using file = openHost(path, O_RDONLY | O_NONBLOCK);
    return readLimited(file.fd, path);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) throw new Failure(`there is no Dockerfile '${path}'`, { cause: error });
    if (isErrno(error, "EISDIR")) throw new Failure(`'${path}' is a directory, no Dockerfile`, { cause: error });
    throw error;
  }
}

/** The directory of the context; a Dockerfile in its place if standard input is one. */
function arrive(site: Site, source: ContextSource): { directory: string; dockerfile?: string } {
  if (source.kind === "directory") {
    const status = statusOf(source.path);
    if (status?.type === "directory") return { directory: source.path };
    throw new Failure(
      status === undefined ? `there is no directory '${source.path}'` : `'${source.path}' is no directory`,
      {
        hint: "the context is a directory whose files COPY may take: mycontainer build -t NAME .",
      },
    );
  }
  const path = site.staging.newPath();
  const input = openSource("-");
  using _input = input.handle;
  copyTo(input, path);
  const directory = site.staging.newDirectory();
  using archive = openHost(path, O_RDONLY);
  try {
    unpackLayer(archive, directory, {}, "the context on standard input");
    return { directory };
  } catch (error) {
    if (!(error instanceof NotAnArchive)) throw error;
  }
  return { directory: site.staging.newDirectory(), dockerfile: hostText(path) };
}

function dockerfileOf({ request }: Site, root: Pick<Tree, "root">, here: string | undefined): Context["dockerfile"] {
  if (here !== undefined) return { text: here, name: "Dockerfile on standard input" };
  if (request.file === "-") {
    using input = openSource("-").handle;
    return { text: readLimited(input.fd, "standard input"), name: "Dockerfile on standard input" };
  }
  if (request.file !== undefined && request.context.kind === "directory") {
    return { text: hostText(request.file), name: request.file };
  }
  for (const name of request.file === undefined ? [DEFAULT_FILE, OTHER_FILE] : [request.file]) {
    const text = textIn(root, name);
    if (text !== undefined) return { text, name };
  }
  throw new Failure(`there is no ${request.file ?? DEFAULT_FILE} in the context`, {
    hint: "name another with -f, or go to the directory that has it",
  });
}

/** The rules of what is left out: those of this Dockerfile, or of the context. */
function ignoreOf({ request: { file, context } }: Site, root: Pick<Tree, "root">): Tree["ignore"] {
  const own = file === undefined || file === "-" ? undefined : `${file}${IGNORE_FILE}`;
  if (own !== undefined) {
    const isHosts = context.kind === "directory";
    const text = !isHosts ? textIn(root, own) : statusOf(own)?.type === "file" ? hostText(own) : undefined;
    if (text !== undefined) return parseIgnore(text, own);
  }
  return ignoreIn(root);
}

/** What a directory says itself of what is left out. */
export function ignoreIn(root: Pick<Tree, "root">): Tree["ignore"] {
  const text = textIn(root, IGNORE_FILE);
  return text === undefined ? undefined : parseIgnore(text);
}

export function openContext(site: Site): Context {
  const { directory, dockerfile: here } = arrive(site, site.request.context);
  const bare = openTree(directory, { about: "the context", ignore: undefined, keepsOwners: false });
  site.stack.use(bare);
  const dockerfile = dockerfileOf(site, bare, here);
  return { tree: { ...bare, ignore: ignoreOf(site, bare) }, dockerfile };
}
