/**
 * Errors, told to the user.
 */
import { EXIT, Failure } from "../failure.ts";
import { KernelError } from "../linux/error.ts";
import { warn } from "./output.ts";

/** Tells an error in one line; returns the exit status that goes with it. */
export function report(error: unknown): number {
  if (error instanceof Failure) {
    warn(error.hint === undefined ? error.message : `${error.message} — ${error.hint}`);
    return error.exitCode;
  }
  if (error instanceof KernelError) warn(`${error.message}${hintFor(error)}`);
  else warn(`internal error: ${error instanceof Error ? `${error.message}\n${error.stack ?? ""}` : String(error)}`);
  return EXIT.own;
}

function hintFor(error: KernelError): string {
  switch (error.code) {
    case "ENOSPC":
      return " — free some space: 'mycontainer ps -a' and 'mycontainer images' show what there is";
    case "EROFS":
      return " — set MYCONTAINER_ROOT to a directory that is writable";
    case "EPERM":
    case "EACCES":
      return " — run it as root: sudo mycontainer ...";
    case "EMFILE":
    case "ENFILE":
      return " — too many files are open: see 'ulimit -n'";
    case "ENOMEM":
      return " — the machine is out of memory, or a limit of it is reached";
    default:
      return "";
  }
}
