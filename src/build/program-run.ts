/**
 * A program of RUN in a container of its own, on top of the layers so far. What it changes becomes a layer.
 */
import { attend } from "../container/attendance.ts";
import type { MountRequest, NetworkChoice, RunOptions } from "../container/options.ts";
import { prepare } from "../container/prepare.ts";
import { finish, start } from "../container/run.ts";
import { Failure } from "../failure.ts";
import type { ResolvedImage } from "../image/resolve.ts";
import { storePaths } from "../image/store.ts";
import { monotonicMs } from "../linux/clock.ts";
import { decode } from "../linux/door.ts";
import { attempt } from "../linux/error.ts";
import { type Handle, setNonblocking } from "../linux/fd.ts";
import { O_RDONLY, openHost, rename } from "../linux/hostpath.ts";
import { pipe } from "../linux/io.ts";
import type { Ending } from "../linux/process.ts";
import type { ImageConfig } from "../spec/image.ts";
import { endOf } from "./child-end.ts";
import type { StepName } from "./events.ts";
import { type Layer, newLayer, overlayNames } from "./layer.ts";
import { missingIn, removeEmpty } from "./mount-points.ts";
import type { Site } from "./site.ts";

export interface ProgramRun {
  readonly step: StepName;
  readonly below: readonly Layer[];
  readonly config: ImageConfig;
  readonly args: readonly string[];
  /** Beside those of the configuration: `NAME=VALUE`. */
  readonly env: readonly string[];
  /** As well, and never on disk: there may be secrets among them. */
  readonly hiddenEnv: readonly string[];
  readonly mounts: readonly MountRequest[];
  readonly network: NetworkChoice;
}

const CHUNK_BYTES = 32 * 1024;
const NEWLINE = 10;
/** What is written without an end of line is told in pieces of this size. */
const LINE_LIMIT_BYTES = 64 * 1024;
/** As docker: of the build, not of the program. */
const FAILED = 1;

/** docker's name for the host that programs of a build run on. */
const HOST_NAME = "buildkitsandbox";

function optionsOf({ request }: Site, { args, env, mounts, network, config }: ProgramRun): RunOptions {
  return {
    image: "build",
    rootfs: false,
    command: args,
    entrypoint: [],
    hostname: HOST_NAME,
    detach: false,
    interactive: false,
    tty: false,
    remove: true,
    init: false,
    privileged: false,
    readonlyRoot: false,
    env,
    user: config.User ?? "",
    groupAdd: [],
    labels: {},
    // A build may take what there is, unless told.
    limits: { memoryBytes: request.memoryBytes ?? 0, cpus: 0, pids: 0 },
    rlimits: request.rlimits,
    ...(request.shmSizeBytes === undefined ? {} : { shmSizeBytes: request.shmSizeBytes }),
    mounts,
    keepsTmp: true,
    devices: [],
    deviceRules: [],
    network,
    publish: [],
    expose: [],
    publishAll: false,
    dns: [],
    dnsSearch: [],
    dnsOptions: [],
    addHosts: request.addHosts,
    pid: { kind: "private" },
    ipc: { kind: "private" },
    uts: { kind: "private" },
    userns: false,
    capAdd: [],
    capDrop: [],
    securityOpts: [],
    sysctls: {},
    sigProxy: false,
  };
}

function imageOf({ root }: Site, { below, config }: ProgramRun): ResolvedImage {
  // What a program of the build writes to a volume's directory is kept: it is no volume yet.
  const { Volumes: _, StopSignal: __, Healthcheck: ___, ...rest } = config;
  return {
    name: "build",
    baseName: "build",
    digest: "build",
    id: "build",
    config: rest,
    layersDirectory: storePaths(root.images).layers,
    layers: overlayNames(root.images, below),
  };
}

/** Tells what comes through a pipe, in whole lines as far as there are ends of lines. */
function relay({ turns, tell }: Site, step: StepName, stream: "stdout" | "stderr", from: Handle): () => void {
  const chunk = new Uint8Array(CHUNK_BYTES);
  let rest = new Uint8Array(0);
  const say = (bytes: Uint8Array): void => {
    if (bytes.length > 0) tell({ kind: "output", step, stream, text: decode(bytes) });
  };
  /** Whether there may be more at once. */
  const take = (): boolean => {
    const count = attempt("read", from.fd, chunk, chunk.length);
    if (count <= 0) {
      if (count === 0 && turns.loop.isWatching(from.fd)) turns.loop.unwatch(from.fd);
      return false;
    }
    const all = new Uint8Array(rest.length + count);
    all.set(rest);
    all.set(chunk.subarray(0, count), rest.length);
    const newline = all.lastIndexOf(NEWLINE);
    const end = newline < 0 && all.length > LINE_LIMIT_BYTES ? all.length : newline + 1;
    say(all.subarray(0, end));
    rest = all.slice(end);
    return true;
  };
  setNonblocking(from.fd, true);
  turns.loop.watch(from.fd, take);
  return () => {
    while (take()) {}
    if (turns.loop.isWatching(from.fd)) turns.loop.unwatch(from.fd);
    say(rest);
    from.close();
  };
}

/** Makes the container; what it would have to have of mount points is looked up before. */
function begin(site: Site, run: ProgramRun, streams: readonly [number, number, number], ownHandles: readonly Handle[]) {
  const { root, defaults, seccomp, filter, signals } = site;
  const emit = (event: { readonly kind: string; readonly text?: string }): void => {
    if (event.kind === "warning" && event.text !== undefined) site.tell({ kind: "warning", text: event.text });
  };
  const attendance = attend(root);
  const noted = prepare({ root, options: optionsOf(site, run), defaults, seccomp, image: imageOf(site, run) }, emit);
  // The container's config.json is written by now, without them.
  const { process } = noted.plan;
  const plan = { ...noted.plan, process: { ...process, env: [...process.env, ...run.hiddenEnv] } };
  const prepared = { ...noted, plan };
  const missing = missingIn(prepared.rootMount.fd, prepared.mountPoints);
  const running = start({
    root,
    attendance,
    prepared,
    filter,
    emit,
    startMs: monotonicMs(),
    signals,
    streams,
    ownHandles,
  });
  return { running, missing, emit };
}

/** Runs a program. Throws a Failure if it does not end well. Undefined if it has changed nothing. */
export async function runProgram(site: Site, run: ProgramRun): Promise<Layer | undefined> {
  const { root, staging, tell } = site;
  const { step, below } = run;
  using stack = new DisposableStack();
  const [stdout, stdoutEnd] = pipe().map((handle) => stack.use(handle)) as [Handle, Handle];
  const [stderr, stderrEnd] = pipe().map((handle) => stack.use(handle)) as [Handle, Handle];
  const input = stack.use(openHost("/dev/null", O_RDONLY));
  const { running, missing, emit } = begin(site, run, [input.fd, stdoutEnd.fd, stderrEnd.fd], [stdout, stderr]);
  for (const handle of [input, stdoutEnd, stderrEnd]) handle.close();
  const outputs = [relay(site, step, "stdout", stdout), relay(site, step, "stderr", stderr)];
  const upper = staging.newPath();
  let isDone = false;
  const ending = await endOf(site, running.child);
  try {
    for (const end of outputs) end();
    isDone = ending.kind === "exited" && ending.status === 0;
    if (isDone) rename(running.prepared.paths.upper, upper);
  } finally {
    running.child.pidfd.close();
    finish(root, running, ending, (event) => {
      if (event.kind === "stopped" && event.outOfMemory)
        tell({ kind: "warning", text: "the program ran out of memory" });
      else emit(event);
    });
  }
  if (!isDone) throw failureOf(step, ending);
  removeEmpty(upper, missing);
  return newLayer(site, upper, below, step.source);
}

function failureOf({ source }: StepName, ending: Ending): Failure {
  const how = ending.kind === "exited" ? `exit status ${ending.status}` : `signal ${ending.signal}`;
  return new Failure(`the program of '${source}' ended with ${how}`, { exitCode: FAILED });
}
