/**
 * `--help` of a command.
 */
import { describeFlags, type Flags } from "./flags.ts";
import { line } from "./output.ts";

/** Whether help is asked for, before the first word that is no flag. */
export function isHelp(argv: readonly string[]): boolean {
  for (const word of argv) {
    if (word === "--help") return true;
    if (word === "--" || !word.startsWith("-")) return false;
  }
  return false;
}

/** Prints the help of a command; returns the exit status. */
export function printHelp(command: string, usage: string, text: string, flags: Flags): number {
  line(`Usage: mycontainer ${command} ${usage}`);
  line("");
  line(text);
  if (Object.keys(flags).length === 0) return 0;
  line("");
  line("Flags:");
  for (const row of describeFlags(flags)) line(row);
  return 0;
}
