/**
 * `restore`: makes a container's processes anew from what `checkpoint` has written, by criu.
 */
import { createCgroup } from "../cgroup/apply.ts";
import { callCriu, FIRST_INHERITED_FD, REQUEST, requireCriu } from "../container/criu.ts";
import { nameProcess } from "../container/state.ts";
import { connectTerminal } from "../container/streams.ts";
import { supervise } from "../container/supervise.ts";
import { Failure } from "../failure.ts";
import type { BindStep, FilesystemStep } from "../isolation/root-steps.ts";
import { EventLoop } from "../linux/eventloop.ts";
import { duplicate, type Handle } from "../linux/fd.ts";
import {
  exists,
  makeDirectory,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
  openHost,
  readLink,
  readTextIfThere,
  removeDirectory,
  writeNewFile,
} from "../linux/hostpath.ts";
import { MNT_DETACH, MS, mount, unmount } from "../linux/mount.ts";
import { type Child, CLONE, exitCodeOf, openPidfd, sendSignal, unshare, waitFor } from "../linux/process.ts";
import { makeDirectoriesInRoot, makeFileInRoot } from "../linux/rootpath.ts";
import { blockExactly, forwardableSignals, SIG } from "../linux/signal.ts";
import { statusOfFd } from "../linux/status.ts";
import { isTerminal, keepNewlines } from "../linux/tty.ts";
import type { Plan } from "../plan/plan.ts";
import type { Spec } from "../spec/config.ts";
import { parseFlags, text, toggle } from "../term/flags.ts";
import { oneId } from "./arguments.ts";
import { readBundle } from "./bundle.ts";
import { DESCRIPTORS_FILE } from "./checkpoint.ts";
import {
  CRIU_FLAGS,
  type CriuPaths,
  cgroupRoot,
  checkPlace,
  commonOptions,
  configFile,
  criuPaths,
  inheritedStreams,
  OPTION,
  restoredMounts,
  restoredNamespaces,
} from "./criu-options.ts";
import { finish } from "./delete.ts";
import { sendTerminal } from "./descriptor-sockets.ts";
import { destroy } from "./destroy.ts";
import type { Globals } from "./globals.ts";
import { hooksOf } from "./hooked.ts";
import { joinedNamespaces } from "./joined.ts";
import { checkTerminal, claim, firstRecord } from "./make.ts";
import { programName } from "./name.ts";
import { writePidFile } from "./pid-file.ts";
import { planBundle } from "./plan.ts";
import { type ContainerRecord, checkId, lockRecord, pathsOf, readRecord, writeRecord } from "./record.ts";
import { tellLog } from "./report.ts";
import { systemdCgroup } from "./systemd-cgroup.ts";

const FLAGS = {
  ...CRIU_FLAGS,
  bundle: text("b", "DIR", "The bundle; without it the current directory"),
  detach: toggle("d", "Return once the container runs"),
  "pid-file": text("", "FILE", "Write the first process's id there"),
  "console-socket": text("", "PATH", "Socket that is sent the master of the container's terminal"),
  "no-pivot": toggle("", "Taken for the sake of older engines"),
  "no-subreaper": toggle("", "Taken for the sake of older engines"),
  "lsm-profile": text("", "PROFILE", "Another label of the processes: apparmor:NAME or selinux:LABEL"),
  "lsm-mount-context": text("", "CONTEXT", "Another SELinux context of mounts"),
} as const;

const LOG_FILE = "restore.log";
const ROOT_NAME = "criu-root";
const DESCRIPTORS = 3;
const STDOUT = 1;

export const help = { usage: "[FLAGS] CONTAINER", flags: FLAGS };

export function run(argv: readonly string[], globals: Globals): number {
  const { flags, rest } = parseFlags("restore", FLAGS, argv, { program: programName() });
  const id = checkId(oneId("restore", rest));
  const bundle = readBundle(flags.bundle);
  const paths = criuPaths(flags);
  if (!exists(`${paths.images}/inventory.img`)) {
    throw new Failure(`there is no checkpoint in ${paths.images}`, {
      hint: "--image-path names the directory it is in",
    });
  }
  const systemd = globals.cgroups === "systemd" ? systemdCgroup(bundle.spec, id, globals.rootless) : undefined;
  if (systemd !== undefined)
    throw new Failure("restore makes cgroups by itself only", { hint: "without --systemd-cgroup" });
  const plan = planBundle(bundle, id, globals, { noPivot: false, newKeyring: true }, undefined);
  const consoleSocket = flags["console-socket"];
  const isDetached = flags.detach === true;
  checkTerminal(plan, { consoleSocket, attached: !isDetached });
  const namespaces = restoredNamespaces(joinedNamespaces(bundle.spec), FIRST_INHERITED_FD);
  const given = commonOptions(flags);
  requireCriu();
  const hooked = hooksOf(plan, bundle, id, globals);
  using lock = claim(globals, id);
  let record = firstRecord(bundle, plan, id);
  let master: Handle | undefined;
  try {
    writeNewFile(pathsOf(globals.root, id).config, bundle.config);
    writeRecord(globals.root, record);
    if (plan.cgroup !== undefined) {
      for (const warning of createCgroup(plan.cgroup)) tellLog(globals, "warning", warning);
    }
    const options = [
      ...given,
      configFile(bundle.spec.annotations),
      ...namespaces.fields,
      [OPTION.lsmProfile, flags["lsm-profile"]] as const,
      [OPTION.lsmMountContext, flags["lsm-mount-context"]] as const,
    ];
    const { directory } = pathsOf(globals.root, id);
    // Where criu leaves cgroups alone, it is in the container's itself, and so is all that it makes.
    const cgroupPath = flags["manage-cgroups-mode"] === "ignore" ? plan.cgroup?.path : undefined;
    const request = { options, inherited: namespaces.inherited, cgroupPath };
    const child = restoreInto(plan, record, directory, paths, request, (stage, pid, fds) => {
      if (stage === "setup-namespaces") {
        hooked?.run("prestart", plan.hooks?.prestart ?? [], hooked.state("creating", pid));
        hooked?.run("createRuntime", plan.hooks?.createRuntime ?? [], hooked.state("creating", pid));
      }
      const [terminal] = fds;
      if (stage === "orphan-pts-master" && terminal !== undefined) {
        if (consoleSocket !== undefined) sendTerminal(consoleSocket, terminal);
        else master = duplicate(terminal.fd);
      }
      if (stage === "post-restore") {
        const init = nameProcess(pid);
        if (init !== undefined) record = { ...record, init };
        writeRecord(globals.root, record);
      }
    });
    record = { ...record, complete: true };
    writeRecord(globals.root, record);
    if (flags["pid-file"] !== undefined) writePidFile(flags["pid-file"], child.pid);
    hooked?.run("poststart", plan.hooks?.poststart ?? [], hooked.state("running", child.pid));
    lock.close();
    if (isDetached) return 0;
    return stayWith(globals, record, bundle.spec, child, master);
  } catch (error) {
    destroy(globals, record);
    throw error;
  }
}

interface Request {
  readonly options: Parameters<typeof callCriu>[0]["options"];
  /** Files that criu is to have open. */
  readonly inherited: readonly string[];
  /** Of the cgroup that criu is to run in, if that is to be another than ours. */
  readonly cgroupPath: string | undefined;
}
type Notified = (stage: string, pid: number, fds: readonly Handle[]) => void;

/**
 * Has criu make the processes, below the root as a mount in a namespace of our own: criu wants the root to be one, and the
 * host is to see nothing of it.
 */
function restoreInto(
  plan: Plan,
  record: ContainerRecord,
  directory: string,
  paths: CriuPaths,
  request: Request,
  notified: Notified,
): Child {
  using opened = new DisposableStack();
  const inherited = request.inherited.map((path) => opened.use(openHost(path, O_RDONLY)));
  makeMountPoints(plan, record.rootfs);
  const root = `${directory}/${ROOT_NAME}`;
  makeDirectory(root);
  unshare(CLONE.newMount);
  mount("none", "/", null, MS.rec | MS.private);
  mount(record.rootfs, root, null, MS.bind | MS.rec);
  // Of the new namespace: criu mounts in them.
  using images = openHost(paths.images, O_RDONLY | O_DIRECTORY);
  using work = openHost(paths.work, O_RDONLY | O_DIRECTORY);
  try {
    const { pid } = callCriu({
      type: REQUEST.restore,
      log: `${paths.work}/${LOG_FILE}`,
      inherited,
      cgroupPath: request.cgroupPath,
      notified,
      options: [
        [OPTION.imagesFd, images.fd],
        [OPTION.workFd, work.fd],
        [OPTION.logFile, LOG_FILE],
        [OPTION.root, root],
        [OPTION.restoreAsSibling, true],
        ...request.options,
        ...(record.cgroupPath === undefined ? [] : [cgroupRoot(record.cgroupPath)]),
        ...restoredMounts(plan.rootSteps),
        ...inheritedStreams(readDescriptors(paths.images)),
      ],
    });
    const pidfd = pid === undefined ? undefined : openPidfd(pid);
    if (pid === undefined || pidfd === undefined) throw new Failure("criu has not told which process it restored");
    return { pid, pidfd };
  } finally {
    unmount(root, MNT_DETACH);
    removeDirectory(root);
  }
}

/**
 * Where the host's files are mounted on: a root file system that no container has run in may not have these places, nor what is
 * mounted above them from the host. What criu mounts itself it fills as well.
 */
function makeMountPoints({ rootSteps }: Plan, rootfs: string): void {
  using root = openHost(rootfs, O_PATH | O_DIRECTORY);
  const above: (FilesystemStep | BindStep)[] = [];
  for (const step of rootSteps) {
    if (step.do !== "mount" && step.do !== "bind") continue;
    const covering = above.findLast(({ target }) => step.target.startsWith(`${target}/`));
    above.push(step);
    if (covering?.do === "mount") continue;
    using host = covering === undefined ? undefined : openHost(covering.source, O_PATH | O_DIRECTORY);
    const [fd, path] = [host?.fd ?? root.fd, step.target.slice(covering?.target.length ?? 0)];
    if (step.do === "mount") {
      makeDirectoriesInRoot(fd, path).close();
      continue;
    }
    using source = openHost(step.source, O_PATH);
    const make = statusOfFd(source.fd, step.source).type === "directory" ? makeDirectoriesInRoot : makeFileInRoot;
    using made = make(fd, path);
    checkPlace(readLink(`/proc/self/fd/${made.fd}`), step);
  }
}

/** The names of the standard streams at the checkpoint; none if they were not noted. */
function readDescriptors(images: string): string[] {
  const parsed: unknown = JSON.parse(readTextIfThere(`${images}/${DESCRIPTORS_FILE}`) ?? "[]");
  return Array.isArray(parsed) ? parsed.slice(0, DESCRIPTORS).map(String) : [];
}

/** Waits for the container's end in the foreground, and removes it. */
function stayWith(
  globals: Globals,
  record: ContainerRecord,
  spec: Spec,
  child: Child,
  master: Handle | undefined,
): number {
  using loop = new EventLoop();
  const signals = forwardableSignals();
  blockExactly(signals);
  try {
    if (master !== undefined && !isTerminal(STDOUT)) keepNewlines(master.fd);
    using session = master === undefined ? undefined : connectTerminal(loop, master, true);
    const code = exitCodeOf(supervise({ child, loop, signals, forward: true, resized: () => session?.resize() }));
    session?.finish();
    using lock = lockRecord(globals.root, record.id);
    // Unless somebody has removed it, and perhaps made another of that id.
    if (lock !== undefined && readRecord(globals.root, record.id)?.created === record.created) {
      finish(globals, record, spec);
    }
    return code;
  } catch (error) {
    sendSignal(child.pidfd.fd, SIG.KILL);
    waitFor(child);
    throw error;
  }
}
