/**
 * What `inspect` commands print: all that is known of several things, as one list of JSON or by a template.
 */
import { Failure } from "../failure.ts";
import { stringifyExact } from "../spec/json.ts";
import { line } from "../term/output.ts";
import { template } from "../term/template.ts";
import { report } from "./report.ts";

/**
 * How things are shown in a format. Throws a Failure for what is none.
 * What comes back looks each of them up by its name, whatever becomes of the others, and returns the exit status.
 */
export function inspectionsIn(
  format: string | undefined,
): (names: readonly string[], inspect: (name: string) => unknown) => number {
  const show = format === undefined ? undefined : inspectionIn(format);
  return (names, inspect) => {
    const found: unknown[] = [];
    let failed = false;
    for (const name of names) {
      try {
        const one = inspect(name);
        if (show === undefined) found.push(one);
        else line(show(one));
      } catch (error) {
        report(error);
        failed = true;
      }
    }
    if (show === undefined) line(stringifyExact(found, 2));
    return failed ? 1 : 0;
  };
}

/** How one thing is shown in a format. Throws a Failure for what is none. */
export function inspectionIn(format: string): (one: unknown) => string {
  if (format === "json") return (one) => stringifyExact(one);
  if (!format.includes("{{")) {
    throw new Failure(`unknown format '${format}'`, { hint: "use json, or a template as in '{{.State.Status}}'" });
  }
  const filled = template(format, (value) => stringifyExact(value));
  return (one) => filled.fill(one);
}
