/**
 * `checkpoint`: writes a running container to disk, by criu, and ends it unless it is to go on.
 */
import { detectLayout, directoryOf } from "../cgroup/layout.ts";
import { callCriu, REQUEST } from "../container/criu.ts";
import { Failure } from "../failure.ts";
import { makeDirectories, O_DIRECTORY, O_RDONLY, openHost, readLink, writeNewFile } from "../linux/hostpath.ts";
import { parseFlags, text, toggle } from "../term/flags.ts";
import { oneId } from "./arguments.ts";
import { CRIU_FLAGS, commonOptions, criuPaths, externalMounts, OPTION } from "./criu-options.ts";
import { finish } from "./delete.ts";
import type { Globals } from "./globals.ts";
import { planRecorded } from "./plan.ts";
import { configOf, lockRecord, recordOf, statusOfContainer } from "./record.ts";

const FLAGS = {
  ...CRIU_FLAGS,
  "parent-path": text("", "DIR", "The images of an earlier --pre-dump, relative to these"),
  "leave-running": toggle("", "The container goes on"),
  "pre-dump": toggle("", "Only memory, for a checkpoint that follows"),
  "status-fd": text("", "FD", "criu writes to it when it is ready for lazy pages"),
} as const;

const LOG_FILE = "dump.log";
/** Where the standard streams are noted, beside the images: runc's name. */
export const DESCRIPTORS_FILE = "descriptors.json";

export const help = { usage: "[FLAGS] CONTAINER", flags: FLAGS };

export async function run(argv: readonly string[], globals: Globals): Promise<number> {
  const { flags, rest } = parseFlags("checkpoint", FLAGS, argv, { program: "mycontainer-runtime" });
  const id = oneId("checkpoint", rest);
  using lock = lockRecord(globals.root, id);
  const record = recordOf(globals.root, id);
  const status = statusOfContainer(globals.root, record);
  const { init } = record;
  if (lock === undefined || init === undefined || (status !== "running" && status !== "paused")) {
    throw new Failure(`Container cannot be checkpointed in ${status} state`);
  }
  const spec = configOf(globals.root, id);
  const paths = criuPaths(flags);
  for (const directory of [paths.images, paths.work]) makeDirectories(directory);
  using images = openHost(paths.images, O_RDONLY | O_DIRECTORY);
  using work = openHost(paths.work, O_RDONLY | O_DIRECTORY);
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
      [OPTION.parentImages, flags["parent-path"]],
      [OPTION.trackMemory, isPreDump || flags["parent-path"] !== undefined],
      [OPTION.freezeCgroup, freezer],
      [OPTION.statusFd, flags["status-fd"] === undefined ? undefined : Number(flags["status-fd"])],
      ...commonOptions(flags),
      ...externalMounts(planRecorded(spec, record, globals).rootSteps, ({ target }) => target),
    ],
  });
  if (isPreDump) return 0;
  writeNewFile(`${paths.images}/${DESCRIPTORS_FILE}`, JSON.stringify(streams));
  if (flags["leave-running"] !== true) await finish(globals, record, spec);
  return 0;
}
