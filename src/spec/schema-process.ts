/**
 * The shape of `process` in config.json, which is also what `exec --process` reads: config.md#process.
 */
import { flag, int32, knownWord, list, object, or, text, uint32, uint53, uint64 } from "./shape.ts";

/** Without ids it is root, as with runc and crun. */
export const user = object(
  { uid: or(uint32, "0"), gid: or(uint32, "0") },
  { umask: uint32, additionalGids: list(uint32) },
);

export const rlimit = object(
  {
    /** `RLIMIT_NOFILE` and so on. */
    type: text,
    soft: uint64,
    hard: uint64,
  },
  {},
);

export const capabilities = object(
  {},
  {
    effective: list(text),
    bounding: list(text),
    inheritable: list(text),
    permitted: list(text),
    ambient: list(text),
  },
);

export const scheduler = object(
  {
    policy: knownWord(
      "SCHED_OTHER",
      "SCHED_FIFO",
      "SCHED_RR",
      "SCHED_BATCH",
      "SCHED_ISO",
      "SCHED_IDLE",
      "SCHED_DEADLINE",
    ),
  },
  {
    nice: int32,
    priority: int32,
    flags: list(
      knownWord(
        "SCHED_FLAG_RESET_ON_FORK",
        "SCHED_FLAG_RECLAIM",
        "SCHED_FLAG_DL_OVERRUN",
        "SCHED_FLAG_KEEP_POLICY",
        "SCHED_FLAG_KEEP_PARAMS",
        "SCHED_FLAG_UTIL_CLAMP_MIN",
        "SCHED_FLAG_UTIL_CLAMP_MAX",
      ),
    ),
    /** Nanoseconds. */
    runtime: uint64,
    deadline: uint64,
    period: uint64,
  },
);

export const process = object(
  {
    cwd: text,
    user: or(user, '{"uid":0,"gid":0}'),
  },
  {
    terminal: flag,
    consoleSize: object({ height: uint53, width: uint53 }, {}),
    env: list(text),
    args: list(text),
    rlimits: list(rlimit),
    apparmorProfile: text,
    capabilities,
    noNewPrivileges: flag,
    oomScoreAdj: int32,
    scheduler,
    selinuxLabel: text,
    ioPriority: object(
      {
        class: knownWord("IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"),
        priority: or(int32, "0"),
      },
      {},
    ),
    execCPUAffinity: object({}, { initial: text, final: text }),
  },
);
