/**
 * `RUN --mount`: what each asks for becomes a mount of the step's container. Nothing of it is part of the layer.
 */
import type { MountRequest } from "../container/options.ts";
import { Failure, unreachable } from "../failure.ts";
import { decode, utf8 } from "../linux/door.ts";
import { variable } from "../linux/environment.ts";
import { call } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { O_CREAT, O_EXCL, O_NOFOLLOW, O_PATH, O_RDONLY, O_WRONLY, openHost, statusOf } from "../linux/hostpath.ts";
import { readAll, writeAll } from "../linux/io.ts";
import { attach, cloneTree, MNT_DETACH, mount, unmount } from "../linux/mount.ts";
import { openInRoot } from "../linux/rootpath.ts";
import { statusOfFd } from "../linux/status.ts";
import { cachePath, openCache, takeTurns } from "./cache-mounts.ts";
import { contentDigest } from "./content.ts";
import { copyOf } from "./copy-out.ts";
import type { RunMount } from "./instruction.ts";
import { newDraft } from "./layer.ts";
import type { Site } from "./site.ts";
import type { Sources } from "./sources.ts";
import { findSources, pathInRoot } from "./tree.ts";
import { openMerged } from "./write-layer.ts";

const SECRET_LIMIT_BYTES = 512 * 1024;
const SECRET_MODE = 0o400;
const DEFAULT_AGENT = "default";
const NOEXEC = ["nosuid", "nodev", "noexec"];

export interface Mounted {
  readonly mounts: readonly MountRequest[];
  /** `NAME=VALUE`. */
  readonly env: readonly string[];
}

const ownerKey = ({
  mode,
  uid,
  gid,
}: {
  mode?: number | undefined;
  uid?: number | undefined;
  gid?: number | undefined;
}) => [mode, uid, gid].map((value) => value ?? null);

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
      return ["secret", request.id, request.target ?? null, request.env ?? null, ownerKey(request)];
    case "cache":
      return ["cache", request.target, request.id ?? null, request.readOnly, ownerKey(request)];
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
  const ground = { site, sources, workdir, stack };
  await takeTurns(
    site,
    requests.flatMap((request) =>
      request.type === "cache" && request.sharing === "locked"
        ? cachePath(site, request, absolute(ground, request.target))
        : [],
    ),
    stack,
  );
  for (const request of requests) {
    const made = await prepareMount(ground, request, mounts.length);
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
  `/${pathInRoot(target.startsWith("/") ? target : `${workdir}/${target}`)}`;

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
    return bindOf(copyOf(site.staging, tree, found), target, !request.readWrite);
  }
  if (request.readWrite && request.from !== undefined) {
    const draft = newDraft(site.staging);
    using merged = openMerged(site, await sources.layers(request.from), draft);
    return bindOf(`${attachFor(ground, merged)}/${found.path}`, target, false);
  }
  // Held from here on: what is at its path may be exchanged by the owner of the context.
  using source = openInRoot(tree.root.fd, found.path === "" ? "/" : found.path, O_PATH);
  using held = cloneTree(source.fd, "", { recursive: false });
  const isDirectory = statusOfFd(source.fd, request.source).type === "directory";
  return bindOf(attachFor(ground, held, isDirectory), target, true);
}

/** Attaches a mount in our own mount namespace, as long as the program runs. */
function attachFor({ site, stack }: Ground, detached: Handle, isDirectory = true): string {
  const path = isDirectory ? site.staging.newDirectory() : site.staging.newFile("");
  using place = openHost(path, O_PATH);
  attach(detached.fd, place.fd, path);
  stack.defer(() => unmount(path, MNT_DETACH));
  return path;
}

async function cacheMount(ground: Ground, request: Of<"cache">): Promise<MountRequest> {
  const { site, sources, stack } = ground;
  const target = absolute(ground, request.target);
  return bindOf(await openCache(site, sources, request, target, stack), target, request.readOnly);
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
  if (request.mode !== undefined || request.uid !== undefined || request.gid !== undefined) {
    throw new Failure("an agent's socket is the host's: its owner and mode are not changed for a program", {
      hint: "leave mode, uid and gid out",
    });
  }
  if (statusOf(socket)?.type !== "socket") throw new Failure(`'${socket}' is no socket of an agent`);
  const target = absolute(ground, request.target ?? `/run/buildkit/ssh_agent.${index}`);
  return { mounts: [bindOf(socket, target, false)], env: [`SSH_AUTH_SOCK=${target}`] };
}
