/**
 * `--format` of commands that list things.
 */
import { Failure } from "../failure.ts";

/** Whether JSON is asked for and not a table. Throws a Failure for anything else. */
export function wantsJson(format: string | undefined): boolean {
  if (format === undefined || format === "table") return false;
  if (format === "json") return true;
  throw new Failure(`unknown format '${format}'`, { hint: "use table or json" });
}
