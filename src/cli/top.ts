/**
 * `mycontainer top`.
 */
import { processesIn } from "../cgroup/members.ts";
import { currentState } from "../container/control.ts";
import { stateRoot } from "../container/paths.ts";
import { DEFAULT_PS_ARGUMENTS, psTable } from "../container/ps-table.ts";
import { runPs } from "../container/run-ps.ts";
import { findContainer } from "../container/state.ts";
import { Failure } from "../failure.ts";
import { parseFlags } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { print } from "../term/output.ts";
import { requireRoot } from "./root.ts";

const PARSING = { stopAtFirstWord: true } as const;

export function run(argv: readonly string[]): number {
  if (isHelp(argv, {}, PARSING)) {
    const about = "Shows the processes of a container, as the host's ps tells them (-ef, if no options are given).";
    return printHelp("top", "CONTAINER [OPTIONS OF ps]", about, {});
  }
  const { rest } = parseFlags("top", {}, argv, PARSING);
  const [name, ...args] = rest;
  if (name === undefined)
    throw new Failure("'top' needs a container", { hint: "as in: mycontainer top NAME -o pid,comm" });
  requireRoot();
  const root = stateRoot();
  const state = currentState(root, findContainer(root, name));
  if (state.status !== "running") throw new Failure(`container '${state.name}' is not running`);
  // What has been started by then is in the list, and what has ended is not: ps looks after us.
  const told = runPs(args.length > 0 ? args : DEFAULT_PS_ARGUMENTS);
  print(psTable(processesIn(state.cgroupPath), told));
  return 0;
}
