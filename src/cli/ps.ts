/**
 * `mycontainer ps`.
 */
import { reconcile } from "../container/destroy.ts";
import { type StateRoot, stateRoot } from "../container/paths.ts";
import { type ContainerState, listIds, readState } from "../container/state.ts";
import { Failure } from "../failure.ts";
import { wallClockMs } from "../linux/clock.ts";
import { list, parseFlags, text, toggle } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { readAliases } from "./aliases.ts";
import { CONTAINER_TITLES, containerFilters, containerRow } from "./container-rows.ts";
import { filterNames, parseFilters } from "./filters.ts";
import { FORMAT_FLAG, parseFormat, printListing } from "./listing.ts";
import { report } from "./report.ts";
import { requireRoot } from "./root.ts";
import { parseWhole } from "./values.ts";

/** Only to name the filters: nothing is looked up there. */
const NO_ROOT: StateRoot = { path: "", images: "", networks: "", volumes: "", names: "" };
const MOST = 1_000_000;

const FLAGS = {
  all: toggle("a", "Show those that have ended, too"),
  filter: list("f", "NAME=VALUE", `Only those with ${filterNames(containerFilters(NO_ROOT, [], (name) => name))}`),
  format: text(...FORMAT_FLAG),
  last: text("n", "NUMBER", "Only so many, the newest, also of those that have ended"),
  latest: toggle("l", "Only the newest, also if it has ended"),
  "no-trunc": toggle("", "Do not cut long commands"),
  quiet: toggle("q", "Show ids only"),
} as const;

/** Filters that ask for containers that have ended, too. */
const ASKING_FOR_ALL = ["status=", "exited="];

export async function run(argv: readonly string[]): Promise<number> {
  if (isHelp(argv, FLAGS)) return printHelp("ps", "[FLAGS]", "Lists containers.", FLAGS);
  const { flags, rest } = parseFlags("ps", FLAGS, argv);
  if (rest.length > 0) throw new Failure(`'ps' takes no arguments, and got '${rest[0]}'`);
  const format = parseFormat(flags.format);
  const last = flags.last === undefined ? undefined : parseWhole(flags.last, "number of containers", 1, MOST);
  const most = flags.latest === true ? 1 : last;
  requireRoot();
  const root = stateRoot();
  const states = currentStates();
  const isMeant = parseFilters(containerFilters(root, states, await readAliases()), flags.filter);
  const isAll =
    flags.all === true ||
    most !== undefined ||
    flags.filter.some((filter) => ASKING_FOR_ALL.some((name) => filter.startsWith(name)));
  const now = wallClockMs();
  const rows = states
    .filter((state) => (isAll || state.status === "running") && isMeant(state))
    .slice(0, most)
    .map((state) => containerRow(root, state, now, flags["no-trunc"] === true));
  if (flags.quiet === true) for (const { ID } of rows) line(ID);
  else {
    const columns = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"] as const;
    printListing(format, { titles: CONTAINER_TITLES, columns, rows });
  }
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
