/**
 * What commands tell of themselves, in the form of runc's help: there are programs that look for a command or a flag in it.
 */
import { describeFlags, type Flags } from "../term/flags.ts";
import { isHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { GLOBAL_FLAGS } from "./globals.ts";
import { programName } from "./name.ts";

type Section = readonly [title: string, lines: readonly string[]];

function tell(sections: readonly Section[]): void {
  sections.forEach(([title, lines], index) => {
    if (index > 0) line("");
    line(`${title}:`);
    for (const text of lines) line(text);
  });
}

/** All commands, each with what it is for, and the flags before them. */
export function tellCommands(commands: Readonly<Record<string, { readonly help: string }>>): void {
  const width = Math.max(...Object.keys(commands).map((name) => name.length)) + 3;
  tell([
    ["NAME", [`   ${programName()} - Open Container Initiative runtime`]],
    ["USAGE", [`   ${programName()} [GLOBAL FLAGS] COMMAND [FLAGS] ...`]],
    ["COMMANDS", Object.entries(commands).map(([name, { help }]) => `  ${name.padEnd(width)}${help}`)],
    ["GLOBAL OPTIONS", describeFlags(GLOBAL_FLAGS)],
  ]);
}

/** Tells of a command, if that is asked for: among its flags, and not in what is its program's. */
export function tellIfAsked(
  name: string,
  summary: string,
  { help }: { readonly help: { readonly usage: string; readonly flags: Flags } },
  argv: readonly string[],
): boolean {
  if (!isHelp(argv, help.flags, { stopAtFirstWord: true })) return false;
  const flags = describeFlags(help.flags);
  tell([
    ["NAME", [`   ${programName()} ${name} - ${summary}`]],
    ["USAGE", [`   ${`${programName()} ${name} ${help.usage}`.trimEnd()}`]],
    ...(flags.length === 0 ? [] : [["OPTIONS", flags] as const]),
  ]);
  return true;
}
