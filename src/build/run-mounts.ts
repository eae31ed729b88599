/**
 * `RUN --mount`: what each asks for becomes a mount of the step's container. Nothing of it is part of the layer.
 */
import type { MountRequest } from "../container/options.ts";
import { Failure, unreachable } from "../failure.ts";
import { cacheMountsOf } from "../image/cache-records.ts";
import { decode, utf8 } from "../linux/door.ts";
import { variable } from "../linux/environment.ts";
import { attempt, call } from "../linux/error.ts";
import { AT_FDCWD, type Handle } from "../linux/fd.ts";
import { lock, tryLock } from "../linux/flock.ts";
import {
  exists,
  makeDirectories,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  openHost,
  statusOf,
} from "../linux/hostpath.ts";
import { readAll, writeAll } from "../linux/io.ts";
import { attach, MNT_DETACH, mount, unmount } from "../linux/mount.ts";
import { openInRoot } from "../linux/rootpath.ts";
import { contentDigest } from "./content.ts";
import { type Copying, copyContents, copyEntry } from "./copy-tree.ts";
import type { RunMount } from "./instruction.ts";
import { stepKey } from "./key.ts";
import { type Layer, newDraft } from "./layer.ts";
import type { Site } from "./site.ts";
import { cleanPath, type Found, findSources, type Tree } from "./tree.ts";
import { openMerged } from "./write-layer.ts";

const SECRET_LIMIT_BYTES = 512 * 1024;
const SECRET_MODE = 0o400;
const CACHE_MODE = 0o755;
const RENAME_NOREPLACE = 1;
const DEFAULT_AGENT = "default";
const NOEXEC = ["nosuid", "nodev", "noexec"];

/** Where mounts take things from. */
export interface Sources {
  /** A stage, a named context or an image; undefined: the context. */
  readonly tree: (from: string | undefined) => Promise<Tree>;
  /** The layers of a stage or an image. */
  readonly layers: (from: string) => Promise<readonly Layer[]>;
}

export interface Mounted {
  readonly mounts: readonly MountRequest[];
  /** `NAME=VALUE`. */
  readonly env: readonly string[];
}

/** What of a mount the step's result depends on. */
export async function mountKey(request: RunMount, sources: Sources): Promise<unknown> {
  switch (request.type) {
    case "bind": {
      const tree = await sources.tree(request.from);
      const found = findSources(tree, request.source);
      return ["bind", request.target, request.readWrite, contentDigest(tree, found, () => false)];
    }
    case "secret":
      // What a secret is has no part in it: it may change, and must not be guessed from a key.
      return ["secret", request.id, request.target ?? null, request.env ?? null];
    case "cache":
      return ["cache", request.target, request.id ?? null];
    case "tmpfs":
      return ["tmpfs", request.target, request.sizeBytes ?? null];
    case "ssh":
      return ["ssh", request.id, request.target ?? null];
    default:
      return unreachable(request);
  }
}

/** Makes what the mounts need; the stack gives it back when the program has ended. */
export async function prepareMounts(
  site: Site,
  requests: readonly RunMount[],
  sources: Sources,
  workdir: string,
  stack: DisposableStack,
): Promise<Mounted> {
  const mounts: MountRequest[] = [];
  const env: string[] = [];
  for (const request of requests) {
    const made = await prepareMount({ site, sources, workdir, stack }, request, mounts.length);
    mounts.push(...made.mounts);
    env.push(...made.env);
  }
  return { mounts, env };
}

interface Ground {
  readonly site: Site;
  readonly sources: Sources;
  readonly workdir: string;
  readonly stack: DisposableStack;
}

const absolute = ({ workdir }: Ground, target: string): string =>
  `/${cleanPath(target.startsWith("/") ? target : `${workdir}/${target}`)}`;

function bindOf(source: string, target: string, readonly: boolean): MountRequest {
  return {
    kind: "bind",
    source,
    target,
    readonly,
    propagation: "rprivate",
    recursive: false,
    createSource: false,
  };
}

async function prepareMount(ground: Ground, request: RunMount, index: number): Promise<Mounted> {
  switch (request.type) {
    case "bind":
      return { mounts: [await bindMount(ground, request)], env: [] };
    case "cache":
      return { mounts: [await cacheMount(ground, request)], env: [] };
    case "tmpfs": {
      const size = request.sizeBytes === undefined ? [] : [`size=${request.sizeBytes}`];
      return {
        mounts: [{ kind: "tmpfs", target: absolute(ground, request.target), options: [...NOEXEC, ...size] }],
        env: [],
      };
    }
    case "secret":
      return secretMount(ground, request);
    case "ssh":
      return sshMount(ground, request, index);
    default:
      return unreachable(request);
  }
}

type Of<T extends RunMount["type"]> = Extract<RunMount, { type: T }>;

/** A bind of the context or of another stage; what is written to it is thrown away. */
async function bindMount(ground: Ground, request: Of<"bind">): Promise<MountRequest> {
  const { site, sources } = ground;
  const tree = await sources.tree(request.from);
  const [found] = findSources(tree, request.source);
  if (found === undefined) throw new Failure(`there is no '${request.source}' in ${tree.about}`);
  const target = absolute(ground, request.target);
  // What is ignored is not there for a program either, and what it writes must not reach the user's files.
  if (tree.ignore !== undefined || (request.readWrite && request.from === undefined)) {
    return bindOf(copyOf(site, tree, found), target, !request.readWrite);
  }
  if (request.readWrite && request.from !== undefined) {
    const draft = newDraft(site.staging);
    using merged = openMerged(site, await sources.layers(request.from), draft);
    return bindOf(`${attachFor(ground, merged)}/${found.path}`, target, false);
  }
  return bindOf(`${tree.path}/${found.path}`, target, true);
}

/** A copy of what is there of a tree, in the staging place. */
function copyOf({ staging }: Site, tree: Tree, found: Found): string {
  const path = staging.newDirectory();
  using root = openHost(path, O_RDONLY | O_DIRECTORY);
  const rules = { owner: undefined, modeOf: (mode: number) => mode, isExcluded: () => false };
  const copying: Copying = { tree, root, rules, linked: new Map() };
  const place = { fd: root.fd, path: "" };
  if (found.status.type === "directory") {
    using from = openInRoot(tree.root.fd, found.path === "" ? "/" : found.path, O_RDONLY | O_DIRECTORY);
    copyContents(copying, from, found.path, place);
    return path;
  }
  const slash = found.path.lastIndexOf("/");
  using parent = openInRoot(tree.root.fd, slash < 0 ? "/" : found.path.slice(0, slash), O_RDONLY | O_DIRECTORY);
  const name = found.path.slice(slash + 1);
  copyEntry(copying, { fd: parent.fd, name, path: found.path }, place, name);
  return `${path}/${name}`;
}

/** Attaches a mount in our own mount namespace, as long as the program runs. */
function attachFor({ site, stack }: Ground, merged: Handle): string {
  const path = site.staging.newDirectory();
  using place = openHost(path, O_PATH | O_DIRECTORY);
  attach(merged.fd, place.fd, path);
  stack.defer(() => unmount(path, MNT_DETACH));
  return path;
}

/** Who uses a cache that is not to be shared waits within this process; another process is waited for by its lock. */
const turns = new WeakMap<Site, Map<string, Promise<void>>>();

async function cacheMount(ground: Ground, request: Of<"cache">): Promise<MountRequest> {
  const { site, stack } = ground;
  const target = absolute(ground, request.target);
  const name = stepKey(["cache-mount", request.id ?? target]);
  const directory = cacheMountsOf(site.root.images);
  makeDirectories(directory);
  const path = request.sharing === "private" ? privateCache(directory, name, stack) : `${directory}/${name}`;
  if (request.sharing === "locked") await takeTurn(site, path, stack);
  if (!exists(path)) await makeCache(ground, request, path);
  return bindOf(path, target, request.readOnly);
}

/** The first of a cache's directories that nobody has. */
function privateCache(directory: string, name: string, stack: DisposableStack): string {
  for (let index = 0; ; index++) {
    const path = `${directory}/${name}.${index}`;
    const held = openHost(`${path}.lock`, O_RDWR | O_CREAT);
    if (tryLock(held.fd, path)) {
      stack.use(held);
      return path;
    }
    held.close();
  }
}

async function takeTurn(site: Site, path: string, stack: DisposableStack): Promise<void> {
  const queues = turns.get(site) ?? new Map<string, Promise<void>>();
  turns.set(site, queues);
  const before = queues.get(path);
  let leave = (): void => {};
  queues.set(
    path,
    new Promise((resolve) => {
      leave = resolve;
    }),
  );
  stack.defer(() => leave());
  await before;
  const held = stack.use(openHost(`${path}.lock`, O_RDWR | O_CREAT));
  lock(held.fd, path);
}

/** A new cache begins with what `from` and `source` name. */
async function makeCache({ site, sources }: Ground, request: Of<"cache">, path: string): Promise<void> {
  let fresh = site.staging.newDirectory();
  if (request.from !== undefined) {
    const tree = await sources.tree(request.from);
    const [found] = findSources(tree, request.source);
    if (found?.status.type === "directory") fresh = copyOf(site, tree, found);
  }
  using made = openHost(fresh, O_RDONLY | O_DIRECTORY);
  call("fchown", fresh, made.fd, request.uid ?? 0, request.gid ?? 0);
  call("fchmod", fresh, made.fd, request.mode ?? CACHE_MODE);
  // Another step may have made it meanwhile.
  attempt("renameat2", AT_FDCWD, fresh, AT_FDCWD, path, RENAME_NOREPLACE);
}

function secretBytes(site: Site, request: Of<"secret">): Uint8Array | undefined {
  const secret = site.request.secrets[request.id];
  if (secret === undefined) {
    if (!request.required) return undefined;
    throw new Failure(`the secret '${request.id}' is required, and was not given`, {
      hint: `add --secret id=${request.id},src=FILE or --secret id=${request.id},env=VARIABLE`,
    });
  }
  if (secret.kind === "file") {
    using file = openHost(secret.path, O_RDONLY);
    return readAll(file.fd, secret.path, SECRET_LIMIT_BYTES);
  }
  const value = variable(secret.variable);
  if (value !== undefined) return utf8(value);
  throw new Failure(`the variable ${secret.variable} of the secret '${request.id}' is not set`);
}

/** A secret is a file in memory, in a mount that only this process and the container have. */
function secretMount(ground: Ground, request: Of<"secret">): Mounted {
  const { site, stack } = ground;
  const bytes = secretBytes(site, request);
  if (bytes === undefined) return { mounts: [], env: [] };
  const env = request.env === undefined ? [] : [`${request.env}=${decode(bytes)}`];
  if (request.env !== undefined && request.target === undefined) return { mounts: [], env };
  const directory = site.staging.newDirectory();
  mount("tmpfs", directory, "tmpfs", 0, `mode=700,size=${SECRET_LIMIT_BYTES * 2}`);
  stack.defer(() => unmount(directory, MNT_DETACH));
  const path = `${directory}/secret`;
  using file = openHost(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
  writeAll(file.fd, bytes, path);
  call("fchown", path, file.fd, request.uid ?? 0, request.gid ?? 0);
  call("fchmod", path, file.fd, request.mode ?? SECRET_MODE);
  const target = request.target ?? `/run/secrets/${request.id}`;
  return { mounts: [bindOf(path, absolute(ground, target), true)], env };
}

function sshMount(ground: Ground, request: Of<"ssh">, index: number): Mounted {
  const id = request.id === "" ? DEFAULT_AGENT : request.id;
  const socket = ground.site.request.ssh[id];
  if (socket === undefined) {
    if (!request.required) return { mounts: [], env: [] };
    throw new Failure(`the agent '${id}' is required, and was not given`, { hint: `add --ssh ${id}` });
  }
  if (statusOf(socket)?.type !== "socket") throw new Failure(`'${socket}' is no socket of an agent`);
  const target = absolute(ground, request.target ?? `/run/buildkit/ssh_agent.${index}`);
  return { mounts: [bindOf(socket, target, false)], env: [`SSH_AUTH_SOCK=${target}`] };
}
