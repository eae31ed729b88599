/**
 * `mycontainer image prune`, `container prune`, `volume prune`, `network prune`, `system prune`.
 */
import { type StateRoot, stateRoot } from "../container/paths.ts";
import {
  isMeant,
  mountSourcesOf,
  type PruneFilter,
  pruneContainers,
  pruneImages,
  pruneVolumes,
} from "../container/prune.ts";
import {
  allStates,
  usageOfCache,
  usageOfContainers,
  usageOfImages,
  usageOfVolumes,
  volumesInUse,
} from "../container/usage.ts";
import { Failure } from "../failure.ts";
import { pruneCached, pruneCacheMounts } from "../image/build-cache.ts";
import { familiarName } from "../image/reference.ts";
import { reconcileStore } from "../image/staging.ts";
import { wallClockMs } from "../linux/clock.ts";
import { decode } from "../linux/door.ts";
import { read } from "../linux/io.ts";
import { isTerminal } from "../linux/tty.ts";
import { removeIdleNetworks } from "../network/attach.ts";
import { list, parseFlags, toggle } from "../term/flags.ts";
import { formatSize } from "../term/format.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line, printError } from "../term/output.ts";
import { parseUntil } from "./filters.ts";
import { currentStates } from "./ps.ts";
import { requireRoot } from "./root.ts";

export type PruneKind = "image" | "container" | "volume" | "network" | "builder" | "system";

const STDIN = 0;
const ANSWER_BYTES = 64;
const SHOWN_CHARACTERS = 70;
const FLAGS = {
  all: toggle("a", "Images: also those that have a name and no container. Volumes: also those that have a name"),
  filter: list("", "NAME=VALUE", "Only what was made until= (a time, or 24h ago), or has label="),
  force: toggle("f", "Do not ask"),
  volumes: toggle("", "With 'system': volumes without a name, too"),
} as const;

const ABOUT: Readonly<Record<PruneKind, string>> = {
  image: "Removes images that have no name.",
  container: "Removes containers that have ended.",
  volume: "Removes volumes without a name that no container mounts.",
  network: "Removes the bridges of networks that have no containers.",
  builder: "Removes what builds have kept for the next ones.",
  system:
    "Removes containers that have ended, networks without containers, images without a name, and what builds have kept.",
};

/** What `--filter` asks for. Throws a Failure. */
export function parsePruneFilter(texts: readonly string[], nowMs: number): PruneFilter {
  let untilMs: number | undefined;
  const labels: [string, string | undefined][] = [];
  for (const text of texts) {
    const equals = text.indexOf("=");
    const [name, value] = [text.slice(0, Math.max(0, equals)), text.slice(equals + 1)];
    if (name === "until") untilMs = parseUntil(value, nowMs);
    else if (name === "label") {
      const at = value.indexOf("=");
      labels.push(at < 0 ? [value, undefined] : [value.slice(0, at), value.slice(at + 1)]);
    } else throw new Failure(`unknown filter '${text}'`, { hint: "use until= or label=" });
  }
  return { untilMs, labels };
}

/** Whether the user wants it. Without a terminal nobody can be asked. */
function isWanted(kind: PruneKind): boolean {
  if (!isTerminal(STDIN)) {
    throw new Failure(`'${kind} prune' asks first, and there is no terminal`, { hint: "say --force" });
  }
  printError(`WARNING! ${ABOUT[kind]} Are you sure? [y/N] `);
  const buffer = new Uint8Array(ANSWER_BYTES);
  const length = read(STDIN, buffer, "the terminal");
  return /^y(?:es)?$/i.test(decode(buffer, 0, length).trim());
}

/** What is on disk of all that could be pruned. */
function usedBytes(root: StateRoot): number {
  const states = allStates(root);
  const volumes = usageOfVolumes(root, volumesInUse(root, mountSourcesOf(root, states)));
  const parts = [usageOfImages(root, states), usageOfContainers(root, states), usageOfCache(root), volumes];
  return parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function section(title: string, lines: Iterable<string>): void {
  const all = [...lines];
  if (all.length === 0) return;
  line(title);
  for (const one of all) line(one);
  line("");
}

function* imageLines(root: StateRoot, all: boolean, filter: PruneFilter): Generator<string> {
  for (const removal of pruneImages(root, all, filter)) {
    if (removal.kind === "untagged") yield `untagged: ${familiarName(removal.name)}`;
    else if (removal.kind === "deleted") yield `deleted: ${removal.id}`;
  }
}

function* cacheLines({ images }: StateRoot, filter: PruneFilter): Generator<string> {
  const removed = pruneCached(images, ({ createdMs }) => isMeant(filter, createdMs, {}));
  for (const { createdBy } of removed) yield createdBy.replace(/\s+/g, " ").slice(0, SHOWN_CHARACTERS);
  if (filter.untilMs === undefined && filter.labels.length === 0) yield* pruneCacheMounts(images);
}

export function runPrune(kind: PruneKind, argv: readonly string[]): number {
  if (isHelp(argv, FLAGS)) return printHelp(`${kind} prune`, "[FLAGS]", ABOUT[kind], FLAGS);
  const { flags, rest } = parseFlags(`${kind} prune`, FLAGS, argv);
  if (rest.length > 0) throw new Failure(`'${kind} prune' takes no arguments, and got '${rest[0]}'`);
  const filter = parsePruneFilter(flags.filter, wallClockMs());
  const all = flags.all === true;
  requireRoot();
  const root = stateRoot();
  if (flags.force !== true && !isWanted(kind)) return 0;
  reconcileStore(root.images);
  // What has died half way is finished first: it counts as ended then.
  currentStates();
  const before = usedBytes(root);
  const isAll = kind === "system";
  if (isAll || kind === "container") section("Deleted Containers:", pruneContainers(root, filter));
  if (isAll || kind === "network") section("Deleted Networks:", removeIdleNetworks(root.networks));
  if (kind === "volume" || (isAll && flags.volumes === true))
    section("Deleted Volumes:", pruneVolumes(root, all && !isAll, filter));
  if (isAll || kind === "builder") section("Deleted Build Cache:", cacheLines(root, filter));
  if (isAll || kind === "image") section("Deleted Images:", imageLines(root, all, filter));
  if (kind !== "network") line(`Total reclaimed space: ${formatSize(Math.max(0, before - usedBytes(root)), 1000)}`);
  return 0;
}
