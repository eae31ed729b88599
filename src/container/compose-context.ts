/**
 * What composing an OCI config needs besides the options.
 */
import type { Device, NamespaceType, Seccomp } from "../spec/config.ts";
import type { ImageConfig } from "../spec/image.ts";
import type { Defaults } from "./options.ts";
import type { ContainerPaths } from "./paths.ts";
import type { SecurityOptions } from "./security-options.ts";

/** Facts that the options alone do not tell. */
export interface ComposeContext {
  readonly id: string;
  readonly image: ImageConfig;
  readonly defaults: Defaults;
  /** Of the root file system, on the host. */
  readonly rootPath: string;
  readonly cgroupKind: "v1" | "v2";
  readonly user: {
    readonly uid: number;
    readonly gid: number;
    readonly additionalGids: readonly number[];
    readonly home: string;
  };
  readonly security: SecurityOptions;
  /** A profile of the user's; undefined for the default one, or none. */
  readonly seccomp?: Seccomp;
  readonly terminal: boolean;
  /** Of the terminal that it is connected with. */
  readonly windowSize?: { readonly rows: number; readonly columns: number };
  /** Of the host, for the container's processes to be counted in the same way. */
  readonly idMap?: { readonly hostID: number; readonly size: number };
  /** Namespaces of other containers: type -> path. */
  readonly joined: Partial<Record<NamespaceType, string>>;
  /** What the devices that were asked for are. */
  readonly devices: readonly (Device & { readonly access: string })[];
  /** Directories of the volumes that were asked for: target -> path. */
  readonly volumes: Readonly<Record<string, string>>;
  /** The container whose resolv.conf and hosts are used: this one, or the one whose network is shared. */
  readonly networkFiles: ContainerPaths;
}
