/**
 * Commands that do one thing to each of several containers.
 */
import { type StateRoot, stateRoot } from "../container/paths.ts";
import { findContainer } from "../container/state.ts";
import { Failure } from "../failure.ts";
import { line } from "../term/output.ts";
import { report } from "./report.ts";
import { requireRoot } from "./root.ts";

/**
 * Does it to each container that is named, whatever becomes of the others, and prints what `act` returns (the name, if that is
 * nothing). Returns the exit status: 1 if one of them failed.
 */
export function forEach(
  command: string,
  names: readonly string[],
  act: (root: StateRoot, id: string) => string | undefined,
  options: { ignoreMissing?: boolean } = {},
): number {
  if (names.length === 0) {
    throw new Failure(`'${command}' needs a container`, { hint: `as in: mycontainer ${command} NAME` });
  }
  requireRoot();
  const root = stateRoot();
  let failed = false;
  for (const name of names) {
    try {
      const told = act(root, findContainer(root, name));
      line(told ?? name);
    } catch (error) {
      if (options.ignoreMissing === true && error instanceof Failure && error.message.startsWith("no container"))
        continue;
      report(error);
      failed = true;
    }
  }
  return failed ? 1 : 0;
}
