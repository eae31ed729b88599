/**
 * `mycontainer inspect`.
 */
import { currentState } from "../container/control.ts";
import { containerPaths, type StateRoot, stateRoot } from "../container/paths.ts";
import { isPaused } from "../container/pause.ts";
import { findContainer } from "../container/state.ts";
import { Failure } from "../failure.ts";
import { inspectImage } from "../image/inspect.ts";
import { readTextIfThere } from "../linux/hostpath.ts";
import { parseExact, stringifyExact } from "../spec/json.ts";
import { parseFlags, text } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { report } from "./report.ts";
import { requireRoot } from "./root.ts";

const FLAGS = { type: text("", "container|image", "Only what is of this type") } as const;

export function run(argv: readonly string[]): number {
  if (isHelp(argv, FLAGS))
    return printHelp("inspect", "[FLAGS] NAME...", "Shows all about containers and images, as JSON.", FLAGS);
  const { flags, rest } = parseFlags("inspect", FLAGS, argv);
  if (rest.length === 0) throw new Failure("'inspect' needs a container or an image");
  requireRoot();
  const root = stateRoot();
  const found: unknown[] = [];
  let failed = false;
  for (const name of rest) {
    try {
      found.push(inspectOne(root, name, flags.type));
    } catch (error) {
      report(error);
      failed = true;
    }
  }
  line(stringifyExact(found, 2));
  return failed ? 1 : 0;
}

function inspectOne(root: StateRoot, name: string, type: string | undefined): unknown {
  if (type !== undefined && type !== "container" && type !== "image") {
    throw new Failure(`unknown type '${type}'`, { hint: "use container or image" });
  }
  if (type === "image") return inspectImage(root.images, name);
  try {
    return inspectContainer(root, findContainer(root, name));
  } catch (error) {
    if (type === "container" || !(error instanceof Failure)) throw error;
    try {
      return inspectImage(root.images, name);
    } catch {
      throw new Failure(`no container and no image '${name}' here`, {
        hint: "'mycontainer ps -a' and 'mycontainer images' list those that there are",
      });
    }
  }
}

function inspectContainer(root: StateRoot, id: string): unknown {
  const state = currentState(root, id);
  const paths = containerPaths(root, id);
  const config = readTextIfThere(paths.config);
  const status = isPaused(state) ? "paused" : state.status;
  return { ...state, status, paths, config: config === undefined ? null : parseExact(config) };
}
