/**
 * `checkpoint`: writes a running container to disk, by criu, and ends it unless it is to go on.
 */
import { detectLayout, directoryOf } from "../cgroup/layout.ts";
import { callCriu, REQUEST, requireCriu } from "../container/criu.ts";
import type { Field } from "../container/protobuf.ts";
import { Failure } from "../failure.ts";
import { NAMESPACE_FILES } from "../isolation/namespaces.ts";
import { isInherited } from "../linux/fd.ts";
import {
  exists,
  makeDirectories,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
  openHost,
  readLink,
  statusOf,
  writeNewFile,
} from "../linux/hostpath.ts";
import { openInRootIfThere } from "../linux/rootpath.ts";
import { parseFlags, text, toggle, type Values } from "../term/flags.ts";
import { nonNegative, oneId } from "./arguments.ts";
import {
  CRIU_FLAGS,
  commonOptions,
  configFile,
  criuPaths,
  dumpedMounts,
  dumpedNamespaces,
  OPTION,
  pageServer,
  withoutDots,
} from "./criu-options.ts";
import { finish } from "./delete.ts";
import type { Globals } from "./globals.ts";
import { joinedNamespaces } from "./joined.ts";
import { programName } from "./name.ts";
import { planRecorded } from "./plan.ts";
import { configOf, lockRecord, recordOf, statusOfContainer } from "./record.ts";

const FLAGS = {
  ...CRIU_FLAGS,
  "parent-path": text("", "DIR", "The images of an earlier --pre-dump, relative to these"),
  "leave-running": toggle("", "The container goes on"),
  "pre-dump": toggle("", "Only memory, for a checkpoint that follows"),
  "status-fd": text("", "FD", "criu writes to it when it is ready for lazy pages"),
  "page-server": text("", "ADDRESS:PORT", "Memory is sent there, and not written to the images"),
} as const;

const LOG_FILE = "dump.log";
/** Where the standard streams are noted, beside the images: runc's name. */
export const DESCRIPTORS_FILE = "descriptors.json";

export const help = { usage: "[FLAGS] CONTAINER", flags: FLAGS };

export function run(argv: readonly string[], globals: Globals): number {
  const { flags, rest } = parseFlags("checkpoint", FLAGS, argv, { program: programName() });
  const id = oneId("checkpoint", rest);
  using lock = lockRecord(globals.root, id);
  const record = recordOf(globals.root, id);
  const status = statusOfContainer(globals.root, record);
  const { init } = record;
  if (lock === undefined || init === undefined || (status !== "running" && status !== "paused")) {
    throw new Failure(`Container cannot be checkpointed in ${status} state`);
  }
  const spec = configOf(globals.root, record);
  const paths = criuPaths(flags);
  const options = [...commonOptions(flags), ...dumpOptions(flags, paths.images)];
  requireCriu();
  for (const directory of [paths.images, paths.work]) makeDirectories(directory);
  using images = openHost(paths.images, O_RDONLY | O_DIRECTORY);
  using work = openHost(paths.work, O_RDONLY | O_DIRECTORY);
  using root = openHost(`/proc/${init.pid}/root`, O_PATH | O_DIRECTORY);
  const isPreDump = flags["pre-dump"] === true;
  const streams = [0, 1, 2].map((fd) => readLink(`/proc/${init.pid}/fd/${fd}`) ?? "");
  const freezer =
    record.cgroupPath === undefined ? undefined : directoryOf(detectLayout(), "freezer", record.cgroupPath);
  callCriu({
    type: isPreDump ? REQUEST.preDump : REQUEST.dump,
    log: `${paths.work}/${LOG_FILE}`,
    options: [
      [OPTION.imagesFd, images.fd],
      [OPTION.workFd, work.fd],
      [OPTION.logFile, LOG_FILE],
      [OPTION.pid, init.pid],
      [OPTION.root, record.rootfs],
      [OPTION.leaveRunning, flags["leave-running"]],
      [OPTION.trackMemory, isPreDump || flags["parent-path"] !== undefined],
      [OPTION.freezeCgroup, freezer],
      ...options,
      configFile(spec.annotations),
      ...dumpedMounts(planRecorded(spec, record, globals).rootSteps, ({ target }) => placeIn(root.fd, target)),
      ...dumpedNamespaces(
        joinedNamespaces(spec),
        (type) => statusOf(`/proc/${init.pid}/ns/${NAMESPACE_FILES[type]}`)?.inode,
      ),
    ],
  });
  if (isPreDump) return 0;
  writeNewFile(`${paths.images}/${DESCRIPTORS_FILE}`, JSON.stringify(streams));
  if (flags["leave-running"] !== true) finish(globals, record, spec);
  return 0;
}

/** Options that only this command has. Throws a Failure for what leads nowhere. */
function dumpOptions(flags: Values<typeof FLAGS>, images: string): Field[] {
  const parent = flags["parent-path"];
  if (parent?.startsWith("/") === true) throw new Failure("--parent-path must be relative to --image-path");
  // The images' directory, from which it starts, may not be there yet.
  const found = parent === undefined ? undefined : withoutDots(`${images}/${parent}`);
  if (found !== undefined && !exists(found)) throw new Failure(`invalid --parent-path: there is no ${found}`);
  const status = flags["status-fd"];
  const statusFd = status === undefined ? undefined : nonNegative("--status-fd", status);
  if (statusFd !== undefined && !isInherited(statusFd)) throw new Failure(`--status-fd: ${statusFd} is not open`);
  return [
    [OPTION.parentImages, parent],
    [OPTION.statusFd, statusFd],
    ...(flags["page-server"] === undefined ? [] : [pageServer(flags["page-server"])]),
  ];
}

/**
 * Where a path of config.json really is in the container: criu knows mounts by their places, which no links lead to. Undefined
 * if it leads nowhere.
 */
function placeIn(rootFd: number, path: string): string | undefined {
  using found = openInRootIfThere(rootFd, path, O_PATH);
  return found === undefined ? undefined : readLink(`/proc/self/fd/${found.fd}`);
}
