/**
 * A Dockerfile as data: what its lines say, before any variable is put in.
 *
 * Source: Dockerfile reference (docs.docker.com/reference/dockerfile), the syntax docker/dockerfile:1 without other frontends.
 */

/** A program as RUN, CMD, ENTRYPOINT and HEALTHCHECK give it. */
export type Command =
  /** One text for the shell of the stage. */
  | { readonly form: "shell"; readonly text: string }
  /** A JSON array: words for execve(2). */
  | { readonly form: "exec"; readonly words: readonly string[] };

/** `<<NAME … NAME`: a text that is a file for COPY and ADD, a script for RUN. */
export interface Heredoc {
  readonly name: string;
  /** With the end of its last line; of `<<-` without the tabs that its lines begin with. */
  readonly text: string;
  /** Whether variables are put in: not if its name stands in quotes. */
  readonly expand: boolean;
  /** The descriptor that stands before `<<` in RUN; 0 if none does. */
  readonly descriptor: number;
}

/** COPY and ADD. Sources in their order; a heredoc is the source named as its `name`. */
export interface Transfer {
  readonly sources: readonly string[];
  readonly heredocs: readonly Heredoc[];
  readonly target: string;
  readonly chown: string | undefined;
  readonly chmod: string | undefined;
  readonly link: boolean;
  readonly exclude: readonly string[];
}

/** `RUN --mount=…`, its options checked against what its type takes. */
export type RunMount =
  | {
      readonly type: "bind";
      readonly target: string;
      readonly from: string | undefined;
      readonly source: string;
      readonly readWrite: boolean;
    }
  | {
      readonly type: "cache";
      readonly target: string;
      readonly id: string | undefined;
      readonly from: string | undefined;
      readonly source: string;
      readonly readOnly: boolean;
      readonly sharing: "shared" | "private" | "locked";
      readonly mode: number | undefined;
      readonly uid: number | undefined;
      readonly gid: number | undefined;
    }
  | { readonly type: "tmpfs"; readonly target: string; readonly sizeBytes: number | undefined }
  | {
      readonly type: "secret";
      readonly id: string;
      /** A path; `/run/secrets/ID` if neither it nor `env` is given. */
      readonly target: string | undefined;
      /** The variable that the secret is given in. */
      readonly env: string | undefined;
      readonly required: boolean;
      readonly mode: number | undefined;
      readonly uid: number | undefined;
      readonly gid: number | undefined;
    }
  | {
      readonly type: "ssh";
      readonly id: string;
      readonly target: string | undefined;
      readonly required: boolean;
      readonly mode: number | undefined;
      readonly uid: number | undefined;
      readonly gid: number | undefined;
    };

export type HealthCheck =
  | { readonly kind: "none" }
  | {
      readonly kind: "check";
      readonly command: Command;
      readonly intervalMs: number | undefined;
      readonly timeoutMs: number | undefined;
      readonly startPeriodMs: number | undefined;
      readonly startIntervalMs: number | undefined;
      readonly retries: number | undefined;
    };

type Pair = readonly [name: string, value: string];

export type Act =
  | { readonly kind: "arg"; readonly args: readonly { readonly name: string; readonly value: string | undefined }[] }
  | { readonly kind: "env"; readonly pairs: readonly Pair[] }
  | { readonly kind: "label"; readonly pairs: readonly Pair[] }
  | { readonly kind: "maintainer"; readonly name: string }
  | ({ readonly kind: "copy"; readonly from: string | undefined; readonly parents: boolean } & Transfer)
  | ({
      readonly kind: "add";
      readonly checksum: string | undefined;
      readonly keepGitDir: boolean;
      /** Undefined: archives of the context are unpacked, those of an URL are not. */
      readonly unpack: boolean | undefined;
    } & Transfer)
  | {
      readonly kind: "run";
      readonly command: Command;
      readonly heredocs: readonly Heredoc[];
      /** The options as they are written, for variables to be put in before `parseRunMount` reads them. */
      readonly mounts: readonly string[];
      readonly network: "default" | "none" | "host";
    }
  | { readonly kind: "cmd"; readonly command: Command }
  | { readonly kind: "entrypoint"; readonly command: Command }
  | { readonly kind: "shell"; readonly words: readonly string[] }
  | { readonly kind: "user"; readonly user: string }
  | { readonly kind: "workdir"; readonly path: string }
  | { readonly kind: "volume"; readonly paths: readonly string[] }
  | { readonly kind: "expose"; readonly ports: readonly string[] }
  | { readonly kind: "stopsignal"; readonly signal: string }
  | { readonly kind: "healthcheck"; readonly check: HealthCheck }
  /** The instruction that an image built on this one begins with, as it is written. */
  | { readonly kind: "onbuild"; readonly instruction: string };

export type Instruction = Act & {
  /** Counted from 1: where it begins in its file. */
  readonly line: number;
  /** As it is written, its continued lines put together: for output and `history`. */
  readonly source: string;
};

export interface Stage {
  readonly line: number;
  readonly source: string;
  /** What comes after FROM: an image, a stage before, or `scratch`; variables not yet put in. */
  readonly from: string;
  readonly platform: string | undefined;
  /** AS, in small letters. */
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

/** What joins lines and takes the meaning from the character after it: `# escape=`. */
export type Escape = "\\" | "`";

export interface Dockerfile {
  readonly escape: Escape;
  /** ARG before the first FROM: for FROM lines, and for ARG of stages that give no value. */
  readonly globals: readonly Instruction[];
  readonly stages: readonly Stage[];
}
