/**
 * Flags of `checkpoint` and `restore`, and what criu is told of a container. Pure, but for the paths that flags name.
 */
import { encodeFields, type Field } from "../container/protobuf.ts";
import { Failure } from "../failure.ts";
import type { BindStep, RootStep } from "../isolation/root-steps.ts";
import { CLONE } from "../linux/process.ts";
import { text, toggle, type Values } from "../term/flags.ts";
import { absolute } from "./bundle.ts";

/** Flags that both commands have. */
export const CRIU_FLAGS = {
  "image-path": text("", "DIR", "Where the images are; without it ./checkpoint"),
  "work-path": text("", "DIR", "Where criu writes its log; without it where the images are"),
  "tcp-established": toggle("", "With open TCP connections"),
  "ext-unix-sk": toggle("", "With unix sockets that lead out of the container"),
  "shell-job": toggle("", "With a terminal that is not the container's"),
  "file-locks": toggle("", "With locks of files"),
  "manage-cgroups-mode": text("", "MODE", "soft, full, strict or ignore"),
  "empty-ns": text("", "TYPE", "A namespace whose contents are left out: network"),
  "auto-dedup": toggle("", "Without pages that are there twice"),
  "lazy-pages": toggle("", "Memory is fetched when it is used"),
} as const;

/** enum criu_cg_mode. */
const CGROUP_MODES: Readonly<Record<string, number>> = { ignore: 0, soft: 3, full: 4, strict: 5 };

/** Numbers of fields of criu_opts. */
export const OPTION = {
  imagesFd: 1,
  pid: 2,
  leaveRunning: 3,
  extUnixSk: 4,
  tcpEstablished: 5,
  shellJob: 7,
  fileLocks: 8,
  logLevel: 9,
  logFile: 10,
  notify: 12,
  root: 13,
  parentImages: 14,
  trackMemory: 15,
  autoDedup: 16,
  workFd: 17,
  manageCgroups: 24,
  cgroupRoot: 25,
  restoreAsSibling: 26,
  inheritFd: 27,
  cgroupMode: 34,
  external: 37,
  emptyNamespaces: 38,
  freezeCgroup: 44,
  lazyPages: 48,
  statusFd: 49,
  orphanTerminal: 50,
  lsmProfile: 53,
  lsmMountContext: 63,
} as const;

/** Everything that is told: criu's log is the only way to find out what went wrong. */
const LOG_LEVEL = 4;

type CriuFlags = Values<typeof CRIU_FLAGS>;

export interface CriuPaths {
  readonly images: string;
  readonly work: string;
}

export function criuPaths(flags: CriuFlags): CriuPaths {
  const images = absolute(flags["image-path"] ?? "checkpoint");
  return { images, work: flags["work-path"] === undefined ? images : absolute(flags["work-path"]) };
}

/** What flags say, and what is the same for every container. Throws a Failure for a mode or type that there is not. */
export function commonOptions(flags: CriuFlags): Field[] {
  const mode = CGROUP_MODES[flags["manage-cgroups-mode"] ?? "soft"];
  if (mode === undefined)
    throw new Failure("Invalid manage-cgroups-mode value", { hint: "soft, full, strict or ignore" });
  const empty = flags["empty-ns"];
  if (empty !== undefined && empty !== "network") {
    throw new Failure(`namespace "${empty}" is not supported`, { hint: "only 'network' can be left empty" });
  }
  return [
    [OPTION.logLevel, LOG_LEVEL],
    [OPTION.notify, true],
    [OPTION.orphanTerminal, true],
    [OPTION.manageCgroups, true],
    [OPTION.cgroupMode, mode],
    [OPTION.tcpEstablished, flags["tcp-established"]],
    [OPTION.extUnixSk, flags["ext-unix-sk"]],
    [OPTION.shellJob, flags["shell-job"]],
    [OPTION.fileLocks, flags["file-locks"]],
    [OPTION.autoDedup, flags["auto-dedup"]],
    [OPTION.lazyPages, flags["lazy-pages"]],
    [OPTION.emptyNamespaces, empty === undefined ? undefined : CLONE.newNet],
  ];
}

/** The mounts that are the host's: criu does not look into them, and has them mounted anew. */
export function externalMounts(steps: readonly RootStep[], value: (step: BindStep) => string): Field[] {
  return steps.flatMap((step): Field[] =>
    step.do === "bind" ? [[OPTION.external, `mnt[${step.target}]:${value(step)}`]] : [],
  );
}

/** What the standard streams were when the container was written: pipes are given anew by these names. */
export function inheritedStreams(descriptors: readonly string[]): Field[] {
  return descriptors.flatMap((name, fd): Field[] =>
    name.startsWith("pipe:")
      ? [
          [
            OPTION.inheritFd,
            encodeFields([
              [1, name],
              [2, fd],
            ]),
          ],
        ]
      : [],
  );
}

export function cgroupRoot(path: string): Field {
  return [OPTION.cgroupRoot, encodeFields([[2, path]])];
}
