/**
 * What happens while a container is made, runs and ends, as typed events: faces print them, or do something else with them.
 */
import type { NamespaceType } from "../spec/config.ts";

export type ContainerEvent =
  | { readonly kind: "creating"; readonly id: string }
  | { readonly kind: "namespaces"; readonly types: readonly NamespaceType[] }
  | {
      readonly kind: "rooted";
      readonly image: string;
      readonly rootfs: string;
      /** Whether the root is a directory of the user's, and nothing of an image. */
      readonly isDirectory: boolean;
    }
  | {
      readonly kind: "cgroup";
      readonly path: string;
      /** Undefined: there is no such limit. */
      readonly memoryBytes?: number;
      readonly cpus?: number;
    }
  | {
      readonly kind: "network";
      readonly hostLink: string;
      readonly peerLink: string;
      readonly address: string;
      readonly prefix: number;
    }
  | { readonly kind: "ready"; readonly bootMs: number }
  | { readonly kind: "warning"; readonly text: string }
  /** A step, told where `LaunchOptions.tellsSteps` asks for them. */
  | { readonly kind: "debug"; readonly text: string }
  | { readonly kind: "cleaning"; readonly id: string }
  | { readonly kind: "network-removed" }
  | { readonly kind: "cgroup-removed" }
  | { readonly kind: "unmounted" }
  | { readonly kind: "rootfs-removed" }
  | { readonly kind: "stopped"; readonly uptimeMs: number; readonly outOfMemory: boolean };

export type Emit = (event: ContainerEvent) => void;
