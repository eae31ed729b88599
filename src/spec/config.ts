/**
 * The container configuration of the OCI runtime specification 1.2 (config.md, config-linux.md), as types.
 * Field names are the specification's. 64-bit quantities are numbers where they are safe integers, else BigInts.
 */

export type Int64 = number | bigint;

export interface Spec {
  ociVersion: string;
  process?: Process;
  root?: Root;
  hostname?: string;
  domainname?: string;
  mounts?: Mount[];
  hooks?: Hooks;
  annotations?: Record<string, string>;
  linux?: Linux;
}

export interface Root {
  path: string;
  readonly?: boolean;
}

export interface Process {
  terminal?: boolean;
  consoleSize?: { height: number; width: number };
  cwd: string;
  env?: string[];
  args?: string[];
  rlimits?: Rlimit[];
  apparmorProfile?: string;
  capabilities?: Capabilities;
  noNewPrivileges?: boolean;
  oomScoreAdj?: number;
  scheduler?: Scheduler;
  selinuxLabel?: string;
  ioPriority?: { class: string; priority: number };
  execCPUAffinity?: { initial?: string; final?: string };
  user: User;
}

export interface User {
  uid: number;
  gid: number;
  umask?: number;
  additionalGids?: number[];
}

export interface Rlimit {
  /** `RLIMIT_NOFILE` and so on. */
  type: string;
  soft: Int64;
  hard: Int64;
}

export interface Capabilities {
  effective?: string[];
  bounding?: string[];
  inheritable?: string[];
  permitted?: string[];
  ambient?: string[];
}

export interface Scheduler {
  policy: string;
  nice?: number;
  priority?: number;
  flags?: string[];
  runtime?: Int64;
  deadline?: Int64;
  period?: Int64;
}

export interface Mount {
  destination: string;
  type?: string;
  source?: string;
  options?: string[];
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
}

export interface Hook {
  path: string;
  args?: string[];
  env?: string[];
  /** Seconds. */
  timeout?: number;
}

export type HookKind = "prestart" | "createRuntime" | "createContainer" | "startContainer" | "poststart" | "poststop";
export type Hooks = Partial<Record<HookKind, Hook[]>>;

export interface IdMapping {
  containerID: number;
  hostID: number;
  size: number;
}

export type NamespaceType = "pid" | "network" | "mount" | "ipc" | "uts" | "user" | "cgroup" | "time";

export interface Namespace {
  type: NamespaceType;
  /** Of an existing namespace to enter; a new one is made where there is none. */
  path?: string;
}

export interface Device {
  type: "a" | "b" | "c" | "u" | "p";
  path: string;
  major?: number;
  minor?: number;
  fileMode?: number;
  uid?: number;
  gid?: number;
}

export interface Linux {
  namespaces?: Namespace[];
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
  timeOffsets?: Partial<Record<"monotonic" | "boottime", { secs?: Int64; nanosecs?: number }>>;
  devices?: Device[];
  cgroupsPath?: string;
  rootfsPropagation?: string;
  resources?: Resources;
  seccomp?: Seccomp;
  sysctl?: Record<string, string>;
  maskedPaths?: string[];
  readonlyPaths?: string[];
  mountLabel?: string;
  intelRdt?: Record<string, unknown>;
  personality?: { domain: string; flags?: string[] };
  netDevices?: Record<string, { name?: string }>;
  memoryPolicy?: { mode: string; nodes?: string; flags?: string[] };
}

export interface Resources {
  unified?: Record<string, string>;
  devices?: DeviceRule[];
  pids?: { limit?: Int64 };
  memory?: MemoryLimits;
  cpu?: CpuLimits;
  blockIO?: BlockIoLimits;
  hugepageLimits?: { pageSize: string; limit: Int64 }[];
  network?: { classID?: number; priorities?: { name: string; priority: number }[] };
  rdma?: Record<string, { hcaHandles?: number; hcaObjects?: number }>;
}

export interface DeviceRule {
  allow: boolean;
  type?: "a" | "b" | "c";
  /** Undefined (or -1) for all. */
  major?: number;
  minor?: number;
  /** Of `r`, `w`, `m`; all where there is none. */
  access?: string;
}

export interface MemoryLimits {
  /** Bytes; -1 is none. */
  limit?: Int64;
  reservation?: Int64;
  /** Memory and swap together, bytes; -1 is none. */
  swap?: Int64;
  kernel?: Int64;
  kernelTCP?: Int64;
  /** 0 to 100; -1, also as 64 bits without a sign, is "not set". */
  swappiness?: Int64;
  disableOOMKiller?: boolean;
  useHierarchy?: boolean;
  checkBeforeUpdate?: boolean;
}

export interface CpuLimits {
  shares?: number;
  /** Microseconds a period; -1 is none. */
  quota?: Int64;
  burst?: number;
  /** Microseconds. */
  period?: number;
  realtimeRuntime?: Int64;
  realtimePeriod?: number;
  cpus?: string;
  mems?: string;
  idle?: number;
}

export interface BlockIoLimits {
  weight?: number;
  leafWeight?: number;
  weightDevice?: { major: number; minor: number; weight?: number; leafWeight?: number }[];
  throttleReadBpsDevice?: DeviceRate[];
  throttleWriteBpsDevice?: DeviceRate[];
  throttleReadIOPSDevice?: DeviceRate[];
  throttleWriteIOPSDevice?: DeviceRate[];
}

export interface DeviceRate {
  major: number;
  minor: number;
  rate: Int64;
}

export interface Seccomp {
  defaultAction: SeccompAction;
  defaultErrnoRet?: number;
  architectures?: string[];
  flags?: string[];
  listenerPath?: string;
  listenerMetadata?: string;
  syscalls?: SeccompRule[];
}

export type SeccompAction =
  | "SCMP_ACT_KILL"
  | "SCMP_ACT_KILL_PROCESS"
  | "SCMP_ACT_KILL_THREAD"
  | "SCMP_ACT_TRAP"
  | "SCMP_ACT_ERRNO"
  | "SCMP_ACT_TRACE"
  | "SCMP_ACT_ALLOW"
  | "SCMP_ACT_LOG"
  | "SCMP_ACT_NOTIFY";

export type SeccompOperator =
  | "SCMP_CMP_NE"
  | "SCMP_CMP_LT"
  | "SCMP_CMP_LE"
  | "SCMP_CMP_EQ"
  | "SCMP_CMP_GE"
  | "SCMP_CMP_GT"
  | "SCMP_CMP_MASKED_EQ";

export interface SeccompRule {
  names: string[];
  action: SeccompAction;
  errnoRet?: number;
  args?: { index: number; value: Int64; valueTwo?: Int64; op: SeccompOperator }[];
}
