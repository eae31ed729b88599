/**
 * `mycontainer ps`.
 */
import { reconcile } from "../container/destroy.ts";
import { stateRoot } from "../container/paths.ts";
import { isPaused } from "../container/pause.ts";
import { type ContainerState, listIds, readState } from "../container/state.ts";
import { Failure } from "../failure.ts";
import { wallClockMs } from "../linux/clock.ts";
import { list, parseFlags, text, toggle } from "../term/flags.ts";
import { formatAge } from "../term/format.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { tableLines } from "../term/table.ts";
import { wantsJson } from "./format-flag.ts";
import { report } from "./report.ts";
import { requireRoot } from "./root.ts";

const FLAGS = {
  all: toggle("a", "Show those that have ended, too"),
  filter: list("f", "NAME=VALUE", "Only those with this name=, id=, status=, label= or ancestor="),
  format: text("", "table|json", "How they are shown"),
  "no-trunc": toggle("", "Do not cut long commands"),
  quiet: toggle("q", "Show ids only"),
} as const;

const COMMAND_LIMIT = 30;

export function run(argv: readonly string[]): number {
  if (isHelp(argv, FLAGS)) return printHelp("ps", "[FLAGS]", "Lists containers.", FLAGS);
  const { flags, rest } = parseFlags("ps", FLAGS, argv);
  if (rest.length > 0) throw new Failure(`'ps' takes no arguments, and got '${rest[0]}'`);
  requireRoot();
  const filters = flags.filter.map(parseFilter);
  const states = currentStates()
    .filter(
      (state) => flags.all === true || state.status === "running" || filters.some(({ name }) => name === "status"),
    )
    .filter((state) => filters.every(({ matches }) => matches(state)));
  if (flags.quiet === true) for (const { id } of states) line(id);
  else if (wantsJson(flags.format)) for (const state of states) line(JSON.stringify(state));
  else printTable(states, flags["no-trunc"] === true);
  return 0;
}

/** All containers as they really are, the newest first. */
export function currentStates(): ContainerState[] {
  const root = stateRoot();
  return listIds(root)
    .flatMap((id) => {
      try {
        reconcile(root, id);
        const state = readState(root, id);
        return state === undefined ? [] : [state];
      } catch (error) {
        // One container that cannot be read does not hide the others.
        report(error);
        return [];
      }
    })
    .sort((one, other) => other.createdMs - one.createdMs);
}

/** As docker calls it. */
const statusOf = (state: ContainerState): string => (isPaused(state) ? "paused" : state.status);

interface Filter {
  readonly name: string;
  readonly matches: (state: ContainerState) => boolean;
}

function parseFilter(input: string): Filter {
  const equals = input.indexOf("=");
  const name = input.slice(0, Math.max(equals, 0));
  const value = input.slice(equals + 1);
  switch (name) {
    case "name":
      return { name, matches: (state) => state.name.includes(value) };
    case "id":
      return { name, matches: (state) => state.id.startsWith(value) };
    case "status":
      return { name, matches: (state) => statusOf(state) === value };
    case "ancestor":
      return { name, matches: (state) => state.image === value || state.imageDigest.startsWith(value) };
    case "label": {
      const [key = "", wanted] = value.split("=", 2);
      return { name, matches: ({ labels }) => (wanted === undefined ? key in labels : labels[key] === wanted) };
    }
    default:
      throw new Failure(`unknown filter '${input}'`, { hint: "use name=, id=, status=, label= or ancestor=" });
  }
}

function printTable(states: readonly ContainerState[], isWhole: boolean): void {
  const now = wallClockMs();
  const rows = states.map((state) => [
    state.id,
    state.image,
    commandText(state.command, isWhole),
    `${formatAge(now - state.createdMs)} ago`,
    statusText(state, now),
    state.name,
  ]);
  for (const row of tableLines([["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "NAMES"], ...rows]))
    line(row);
}

function commandText(command: readonly string[], isWhole: boolean): string {
  // Control characters would be the terminal's to obey.
  const whole = command.join(" ").replaceAll(/\p{Cc}/gu, " ");
  return `"${isWhole || whole.length <= COMMAND_LIMIT ? whole : `${whole.slice(0, COMMAND_LIMIT - 1)}…`}"`;
}

function statusText(state: ContainerState, now: number): string {
  if (state.status === "creating" || state.status === "created") return "Created";
  if (state.exit === undefined) {
    return `Up ${formatAge(now - (state.startedMs ?? now))}${isPaused(state) ? " (Paused)" : ""}`;
  }
  const reason = state.exit.outOfMemory ? ", out of memory" : "";
  return `Exited (${state.exit.code}${reason}) ${formatAge(now - state.exit.finishedMs)} ago`;
}
