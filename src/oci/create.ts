/**
 * `create`: makes a container, up to where its program would start.
 */
import { parseFlags, text, toggle, type Values } from "../term/flags.ts";
import { nonNegative, oneId } from "./arguments.ts";
import type { Globals } from "./globals.ts";
import { type MakeOptions, make } from "./make.ts";
import { programName } from "./name.ts";

/** Flags of `create` and `run`. */
export const MAKE_FLAGS = {
  bundle: text("b", "DIR", "The bundle; without it the current directory"),
  "console-socket": text("", "PATH", "Socket that is sent the master of the container's terminal"),
  "pid-file": text("", "FILE", "Write the first process's id there"),
  "pidfd-socket": text("", "PATH", "Socket that is sent a pidfd of the first process"),
  "preserve-fds": text("", "N", "Pass N more descriptors, from 3 on"),
  "no-pivot": toggle("", "Without pivot_root(2), where the root lies on a RAM disk"),
  "no-new-keyring": toggle("", "Share the caller's session keyring"),
  "no-subreaper": toggle("", "Taken for the sake of older engines"),
} as const;

export const help = { usage: "[FLAGS] CONTAINER", flags: MAKE_FLAGS };

/** What the flags that both have mean. */
export function madeAsAsked(flags: Values<typeof MAKE_FLAGS>): Omit<MakeOptions, "id" | "waits" | "attached"> {
  return {
    bundle: flags.bundle,
    consoleSocket: flags["console-socket"],
    pidfdSocket: flags["pidfd-socket"],
    pidFile: flags["pid-file"],
    preserveFds: nonNegative("--preserve-fds", flags["preserve-fds"] ?? "0"),
    noPivot: flags["no-pivot"] === true,
    newKeyring: flags["no-new-keyring"] !== true,
  };
}

export function run(argv: readonly string[], globals: Globals): number {
  const { flags, rest } = parseFlags("create", MAKE_FLAGS, argv, { program: programName() });
  make({ id: oneId("create", rest), ...madeAsAsked(flags), waits: true, attached: false }, globals);
  return 0;
}
