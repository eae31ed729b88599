/**
 * `mycontainer start`.
 */
import { planAgain } from "../container/again.ts";
import { currentState } from "../container/control.ts";
import { type StateRoot, stateRoot } from "../container/paths.ts";
import { startAgain } from "../container/start.ts";
import { findContainer } from "../container/state.ts";
import { Failure } from "../failure.ts";
import { closeFrom } from "../linux/process.ts";
import { parseFlags, toggle } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { forEach } from "./each.ts";
import { requireRoot } from "./root.ts";
import { emitter } from "./run.ts";

const FLAGS = {
  attach: toggle("a", "Stay in front: show what it writes, pass signals on, end with its exit code"),
  interactive: toggle("i", "As --attach, and pass standard input on, if it was made for that"),
} as const;
const FIRST_OTHER_FD = 3;

export function run(argv: readonly string[]): number {
  if (isHelp(argv, FLAGS)) {
    const about = "Starts containers that were made by 'create', or have ended, with all that they have written.";
    return printHelp("start", "[FLAGS] CONTAINER...", about, FLAGS);
  }
  const { flags, rest } = parseFlags("start", FLAGS, argv);
  const interactive = flags.interactive === true;
  const attach = flags.attach === true || interactive;
  // What our caller has left open beside the standard streams is neither the container's nor a monitor's.
  closeFrom(FIRST_OTHER_FD);
  if (!attach) return forEach("start", rest, startOne);
  const [name, another] = rest;
  if (name === undefined || another !== undefined) {
    throw new Failure("'start --attach' needs one container", { hint: "start several without --attach" });
  }
  requireRoot();
  const root = stateRoot();
  const state = currentState(root, findContainer(root, name));
  return startAgain(root, planAgain(root, state, { attach, interactive }), emitter(true));
}

function startOne(root: StateRoot, id: string): undefined {
  const state = currentState(root, id);
  // As with docker: what runs has been started.
  if (state.status === "running") return;
  startAgain(root, planAgain(root, state, { attach: false, interactive: true }), emitter(true));
}
