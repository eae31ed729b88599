/**
 * All that `run` can be asked for, as data: what the flags of the command line, or a program, make. Nothing here has been
 * looked up yet: names of users, images and networks are as they were given.
 */
import type { DeviceRule, Rlimit } from "../spec/config.ts";
import type { Healthcheck } from "../spec/image.ts";

export type NetworkChoice =
  | { readonly kind: "bridge" }
  | { readonly kind: "none" }
  | { readonly kind: "host" }
  | { readonly kind: "container"; readonly container: string };

/** Where a namespace comes from: a new one, the host's, or another container's. */
export type NamespaceChoice =
  | { readonly kind: "private" }
  | { readonly kind: "host" }
  | { readonly kind: "container"; readonly container: string };

export type MountRequest =
  | {
      readonly kind: "bind";
      readonly source: string;
      readonly target: string;
      readonly readonly: boolean;
      /** As mount(8) names it; `rprivate` where nothing was asked. */
      readonly propagation: string;
      readonly recursive: boolean;
      /** Whether a source that is not there is made, as a directory: `-v` does, `--mount` does not. */
      readonly createSource: boolean;
    }
  | { readonly kind: "volume"; readonly name: string | undefined; readonly target: string; readonly readonly: boolean }
  | { readonly kind: "tmpfs"; readonly target: string; readonly options: readonly string[] };

export interface DeviceRequest {
  readonly source: string;
  readonly target: string;
  /** Of `r`, `w`, `m`. */
  readonly access: string;
}

/** Limits; 0 is none, undefined the default. */
export interface LimitOptions {
  readonly memoryBytes?: number;
  /** Memory and swap together; -1 is no limit of swap. */
  readonly memorySwapBytes?: number;
  readonly memoryReservationBytes?: number;
  readonly memorySwappiness?: number;
  /** Cores; 0.5 is half of one. */
  readonly cpus?: number;
  readonly cpuPeriodMicros?: number;
  readonly cpuQuotaMicros?: number;
  readonly cpuShares?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly pids?: number;
  readonly blkioWeight?: number;
  readonly oomKillDisable?: boolean;
}

export interface RunOptions {
  /** The image's name; with `rootfs` the path of a directory of the host. */
  readonly image: string;
  /** Whether a directory is the root as it is: it is written to, and stays. */
  readonly rootfs: boolean;
  /** After the image's name; empty: the image's own command. */
  readonly command: readonly string[];
  /** In place of the image's; `[]` takes it away. */
  readonly entrypoint?: readonly string[];
  readonly name?: string;
  readonly hostname?: string;
  readonly domainname?: string;
  readonly detach: boolean;
  /** Undefined: as the standard streams are. */
  readonly interactive?: boolean;
  readonly tty?: boolean;
  /** Whether it is removed at its end; undefined: in the foreground yes, detached no. */
  readonly remove?: boolean;
  readonly init: boolean;
  readonly privileged: boolean;
  readonly readonlyRoot: boolean;
  /** `NAME=VALUE`; a name alone takes the image's variable away. */
  readonly env: readonly string[];
  readonly workdir?: string;
  readonly user?: string;
  readonly groupAdd: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** What of the image's health check is to be otherwise; `["NONE"]` takes it away. */
  readonly healthcheck?: Healthcheck;
  readonly limits: LimitOptions;
  readonly rlimits: readonly Rlimit[];
  readonly shmSizeBytes?: number;
  readonly mounts: readonly MountRequest[];
  /** Whether /tmp is the root's own directory, and what is written there stays; unless told, it is a tmpfs. */
  readonly keepsTmp?: boolean;
  readonly devices: readonly DeviceRequest[];
  /** What else of the host's devices may be opened, once a node for it has been made. */
  readonly deviceRules: readonly DeviceRule[];
  readonly network: NetworkChoice;
  /** As docker writes them: `8080:80/tcp`. */
  readonly publish: readonly string[];
  /** Ports that it listens on: `53/udp`, `8000-8010`. */
  readonly expose: readonly string[];
  /** Whether all that it listens on is published, on free ports. */
  readonly publishAll: boolean;
  readonly ip?: string;
  readonly mac?: string;
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  /** `name:address`. */
  readonly addHosts: readonly string[];
  readonly pid: NamespaceChoice;
  readonly ipc: NamespaceChoice;
  readonly uts: NamespaceChoice;
  readonly cgroupns?: NamespaceChoice;
  /** Whether the container has user ids of its own. */
  readonly userns: boolean;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly securityOpts: readonly string[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly oomScoreAdj?: number;
  readonly stopSignal?: string;
  readonly stopTimeoutSeconds?: number;
  /** Seconds until it is killed. */
  readonly timeoutSeconds?: number;
  readonly sigProxy: boolean;
  readonly cidFile?: string;
}

/** What holds where nothing is asked: built in, and changed by config.toml. */
export interface Defaults {
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly pids: number;
  readonly shmSizeBytes: number;
  readonly stopTimeoutSeconds: number;
}

const MIB = 1024 * 1024;

export const BUILT_IN_DEFAULTS: Defaults = {
  memoryBytes: 512 * MIB,
  cpus: 0.5,
  pids: 2048,
  shmSizeBytes: 64 * MIB,
  stopTimeoutSeconds: 10,
};
