/**
 * `mycontainer volume create|ls|inspect|rm`.
 */
import { randomHex } from "../container/id.ts";
import { type StateRoot, stateRoot } from "../container/paths.ts";
import { mountSourcesOf } from "../container/prune.ts";
import { allStates, volumesInUse } from "../container/usage.ts";
import {
  createVolume,
  listVolumes,
  readVolumeRecord,
  removeVolume,
  volumeMadeMs,
  volumePath,
} from "../container/volumes.ts";
import { Failure } from "../failure.ts";
import { wallClockMs } from "../linux/clock.ts";
import { exists } from "../linux/hostpath.ts";
import { list, parseFlags, text, toggle } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { type FilterKinds, filterNames, labelTest, parseFilters, truthOf } from "./filters.ts";
import { inspectionsIn } from "./inspections.ts";
import { FORMAT_FLAG, parseFormat, printListing } from "./listing.ts";
import { VOLUME_NAME } from "./mount-values.ts";
import { report } from "./report.ts";
import { requireRoot } from "./root.ts";
import { parseKeyValue } from "./values.ts";

const CREATE_FLAGS = {
  driver: text("d", "local", "What keeps it: there is local only"),
  label: list("", "NAME=VALUE", "Set a label"),
} as const;
const LIST_FLAGS = {
  filter: list("f", "NAME=VALUE", `Only those with ${filterNames(volumeFilters(new Set()))}`),
  format: text(...FORMAT_FLAG),
  quiet: toggle("q", "Show names only"),
} as const;
const INSPECT_FLAGS = { format: text("f", "json|TEMPLATE", "How they are shown; templates are Go's") } as const;
const REMOVE_FLAGS = { force: toggle("f", "Also if it is not there") } as const;

/** As many digits as docker's names of volumes without a name have. */
const RANDOM_PARTS = 10;

interface Volume {
  readonly Name: string;
  readonly Driver: "local";
  readonly Scope: "local";
  readonly Mountpoint: string;
  readonly CreatedAt: string;
  readonly Labels: Readonly<Record<string, string>>;
}

function volumeOf(root: StateRoot, name: string): Volume {
  const record = readVolumeRecord(root, name);
  return {
    Name: name,
    Driver: "local",
    Scope: "local",
    Mountpoint: volumePath(root, name),
    CreatedAt: new Date(record?.createdMs ?? volumeMadeMs(root, name)).toISOString(),
    Labels: record?.labels ?? {},
  };
}

function volumeFilters(used: ReadonlySet<string>): FilterKinds<Volume> {
  return {
    name: { test: (value) => (volume) => volume.Name.includes(value) },
    driver: { test: (value) => (volume) => volume.Driver === value },
    dangling: {
      test: (value) => {
        const isWanted = truthOf(value, "dangling");
        return ({ Name }) => !used.has(Name) === isWanted;
      },
    },
    label: {
      all: true,
      test: (value) => {
        const test = labelTest(value);
        return ({ Labels }) => test(Labels);
      },
    },
  };
}

const usedIn = (root: StateRoot): Set<string> => volumesInUse(root, mountSourcesOf(root, allStates(root)));

export function runCreate(argv: readonly string[]): number {
  if (isHelp(argv, CREATE_FLAGS)) {
    return printHelp("volume create", "[FLAGS] [NAME]", "Makes a volume, and prints its name.", CREATE_FLAGS);
  }
  const { flags, rest } = parseFlags("volume create", CREATE_FLAGS, argv);
  const [given, another] = rest;
  if (another !== undefined) throw new Failure(`'volume create' takes one name, and got '${another}' as well`);
  if (flags.driver !== undefined && flags.driver !== "local") {
    throw new Failure(`there is no driver '${flags.driver}' of volumes`, { hint: "there is local" });
  }
  const name = given ?? Array.from({ length: RANDOM_PARTS }, () => randomHex()).join("");
  if (!VOLUME_NAME.test(name)) {
    throw new Failure(`'${name}' is no name of a volume`, { hint: "use letters, digits, '_', '.' and '-'" });
  }
  const labels = Object.fromEntries(
    flags.label.map((label) => {
      const [key, value] = parseKeyValue(label, "label");
      return [key, value ?? ""];
    }),
  );
  requireRoot();
  createVolume(stateRoot(), name, { labels, createdMs: wallClockMs(), isNamed: given !== undefined, isUnused: true });
  line(name);
  return 0;
}

export function runList(argv: readonly string[]): number {
  if (isHelp(argv, LIST_FLAGS)) return printHelp("volume ls", "[FLAGS]", "Lists volumes.", LIST_FLAGS);
  const { flags, rest } = parseFlags("volume ls", LIST_FLAGS, argv);
  if (rest.length > 0) throw new Failure(`'volume ls' takes no arguments, and got '${rest[0]}'`);
  const format = parseFormat(flags.format);
  requireRoot();
  const root = stateRoot();
  const isMeant = parseFilters(volumeFilters(usedIn(root)), flags.filter);
  const rows = listVolumes(root)
    .map((name) => volumeOf(root, name))
    .filter(isMeant)
    .map((volume) => ({
      ...volume,
      Labels: Object.entries(volume.Labels)
        .map(([name, value]) => `${name}=${value}`)
        .join(","),
      Label: (name: string) => (Object.hasOwn(volume.Labels, name) ? volume.Labels[name] : ""),
    }));
  if (flags.quiet === true) for (const { Name } of rows) line(Name);
  else printListing(format, { titles: { Name: "VOLUME NAME" }, columns: ["Driver", "Name"], rows });
  return 0;
}

function existing(root: StateRoot, name: string): string {
  if (VOLUME_NAME.test(name) && exists(volumePath(root, name))) return name;
  throw new Failure(`no volume '${name}' here`, { hint: "'mycontainer volume ls' lists those that there are" });
}

export function runInspect(argv: readonly string[]): number {
  if (isHelp(argv, INSPECT_FLAGS)) {
    return printHelp("volume inspect", "[FLAGS] VOLUME...", "Shows all about volumes, as JSON.", INSPECT_FLAGS);
  }
  const { flags, rest } = parseFlags("volume inspect", INSPECT_FLAGS, argv);
  if (rest.length === 0) throw new Failure("'volume inspect' needs a volume");
  const show = inspectionsIn(flags.format);
  requireRoot();
  const root = stateRoot();
  return show(rest, (name) => volumeOf(root, existing(root, name)));
}

export function runRemove(argv: readonly string[]): number {
  if (isHelp(argv, REMOVE_FLAGS)) {
    return printHelp("volume rm", "[FLAGS] VOLUME...", "Removes volumes that no container has.", REMOVE_FLAGS);
  }
  const { flags, rest } = parseFlags("volume rm", REMOVE_FLAGS, argv);
  if (rest.length === 0) throw new Failure("'volume rm' needs a volume", { hint: "as in: mycontainer volume rm NAME" });
  requireRoot();
  const root = stateRoot();
  let failed = false;
  for (const name of rest) {
    try {
      if (flags.force !== true || exists(volumePath(root, name))) removeOne(root, existing(root, name));
      line(name);
    } catch (error) {
      report(error);
      failed = true;
    }
  }
  return failed ? 1 : 0;
}

function removeOne(root: StateRoot, name: string): void {
  const users = allStates(root).filter((state) => volumesInUse(root, mountSourcesOf(root, [state])).has(name));
  if (users.length > 0) {
    throw new Failure(`the volume '${name}' is in use by ${users.map((state) => state.name).join(", ")}`, {
      hint: "remove these containers first",
    });
  }
  removeVolume(root, name);
}
