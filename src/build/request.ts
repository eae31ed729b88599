/**
 * What `build` is asked for, as data: what the flags of the command line, or a program, make. Nothing has been looked up yet.
 */
import type { Platform } from "../image/platform.ts";
import type { Rlimit } from "../spec/config.ts";

/** Where COPY and ADD take files from. */
export type ContextSource =
  /** Absolute. */
  | { readonly kind: "directory"; readonly path: string }
  /** Standard input: an archive of the context, or a Dockerfile that needs none. */
  | { readonly kind: "stdin" };

/** `--build-context NAME=…`: what `FROM NAME` and `--from=NAME` mean in place of an image of that name. */
export type NamedContext =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "image"; readonly name: string };

export type Secret =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "env"; readonly variable: string };

export interface BuildRequest {
  readonly context: ContextSource;
  /** The Dockerfile: a path of the host; `-` is standard input; undefined: `Dockerfile` of the context. */
  readonly file: string | undefined;
  /** In full. */
  readonly names: readonly string[];
  /** The name or number of the stage to be built; undefined: the last. */
  readonly target: string | undefined;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, Secret>>;
  /** Id -> path of the agent's socket. */
  readonly ssh: Readonly<Record<string, string>>;
  readonly contexts: Readonly<Record<string, NamedContext>>;
  /** Whether nothing is taken from the cache. */
  readonly noCache: boolean;
  /** Whether base images are asked for anew where they are here already. */
  readonly pull: boolean;
  readonly platform: Platform | undefined;
  readonly network: "default" | "none" | "host";
  /** `name:address`. */
  readonly addHosts: readonly string[];
  /** Of each RUN; 0 or undefined is no limit. */
  readonly memoryBytes: number | undefined;
  readonly shmSizeBytes: number | undefined;
  readonly rlimits: readonly Rlimit[];
}
