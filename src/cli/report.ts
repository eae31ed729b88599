/**
 * Errors, told to the user.
 */
import { EXIT, Failure, shortened } from "../failure.ts";
import { KernelError } from "../linux/error.ts";
import { geteuid } from "../linux/process.ts";
import { note, warn } from "../term/output.ts";

/**
 * Tells an error in one line; returns the exit status that goes with it.
 * @param debug whether all that is known of it follows
 */
export function report(error: unknown, debug = false): number {
  if (error instanceof Failure) {
    warn(error.hint === undefined ? shown(error.message) : `${shown(error.message)} — ${shown(error.hint)}`);
  } else if (error instanceof KernelError) {
    const hint = hintFor(error.code, geteuid() === 0);
    warn(hint === undefined ? shown(error.message) : `${shown(error.message)} — ${hint}`);
  } else {
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    warn(
      `internal error: ${message}${debug ? "" : " — this is a fault of mycontainer's: add --debug in front to see where"}`,
    );
  }
  if (debug) for (const text of details(error)) note(text);
  return error instanceof Failure ? error.exitCode : EXIT.own;
}

/** On one line: errors quote the words of strangers, and a terminal would obey some of them. */
function shown(text: string): string {
  return shortened(text).replaceAll(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu, (letter) => {
    const digits = (letter.codePointAt(0) ?? 0).toString(16);
    return `\\u{${digits}}`;
  });
}

/** Where an error comes from, and what was behind it. */
function details(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const place = (error.stack ?? "").trimEnd();
  const cause = error.cause instanceof Error ? [`caused by ${error.cause.message}`, ...details(error.cause)] : [];
  return [...(place === "" ? [] : [place]), ...cause];
}

/** What can be done about the kernel's refusals that have the same reason everywhere. */
export function hintFor(code: string, isRoot: boolean): string | undefined {
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return "free some space: 'mycontainer ps -a' and 'mycontainer images' show what there is";
    case "EROFS":
      return "set MYCONTAINER_ROOT to a directory that is writable";
    case "EPERM":
    case "EACCES":
      return isRoot ? "a privilege is missing that root has elsewhere" : "run it as root: sudo mycontainer ...";
    case "EMFILE":
    case "ENFILE":
      return "too many files are open: see 'ulimit -n'";
    case "ENOMEM":
      return "the machine is out of memory, or a limit of it is reached";
    default:
      return undefined;
  }
}
