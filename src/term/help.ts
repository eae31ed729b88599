/**
 * `--help` of a command.
 */
import { describeFlags, type Flag, type Flags, nameOf, type ParseOptions, splitShorts } from "./flags.ts";
import { line } from "./output.ts";

/**
 * Whether help is asked for: `--help`, or `-h` where that is no flag, among the flags. What is the value of a flag, or
 * belongs to the command that is to be run, does not count.
 */
export function isHelp(argv: readonly string[], known: Flags = {}, options: ParseOptions = {}): boolean {
  if (!argv.includes("--help") && !argv.includes("-h")) return false;
  const shorts = new Map(Object.entries(known).map(([name, flag]) => [flag.short, name]));
  const takesNextWord = (flag: Flag | undefined) => flag !== undefined && flag.kind !== "toggle";
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? "";
    if (word === "--help" || (word === "-h" && !shorts.has("h"))) return true;
    if (word === "--") return false;
    if (!word.startsWith("-") || word === "-") {
      if (options.stopAtFirstWord === true) return false;
    } else if (word.startsWith("--")) {
      if (takesNextWord(known[nameOf(known, word.slice(2), options) ?? ""])) index++;
    } else {
      const last = splitShorts(known, shorts, word.slice(1)).at(-1);
      if (last?.value === undefined && takesNextWord(known[shorts.get(last?.letter ?? "") ?? ""])) index++;
    }
  }
  return false;
}

/** Prints the help of a command; returns the exit status. */
export function printHelp(
  command: string,
  usage: string,
  text: string,
  flags: Flags,
  program: string = "mycontainer",
): number {
  line(`Usage: ${program} ${command} ${usage}`.trimEnd());
  line("");
  line(text);
  if (Object.keys(flags).length === 0) return 0;
  line("");
  line("Flags:");
  for (const row of describeFlags(flags)) line(row);
  return 0;
}
