/**
 * `update`: changes the limits of a container that is there.
 */
import { updateCgroup } from "../cgroup/apply.ts";
import { detectLayout } from "../cgroup/layout.ts";
import { planUpdate } from "../cgroup/plan.ts";
import { completeUpdate, mergeResources } from "../cgroup/update.ts";
import { refuseBelowUsage } from "../cgroup/usage-check.ts";
import { Failure } from "../failure.ts";
import { readText, replaceFile } from "../linux/hostpath.ts";
import { readAllText } from "../linux/io.ts";
import { checkResources } from "../spec/check-linux.ts";
import type { Resources, Spec } from "../spec/config.ts";
import { stringifyExact } from "../spec/json.ts";
import { parseResources } from "../spec/parse-config.ts";
import { parseFlags, text } from "../term/flags.ts";
import { oneId } from "./arguments.ts";
import type { Globals } from "./globals.ts";
import { programName } from "./name.ts";
import { checkId, configOf, lockRecord, pathsOf, recordOf, statusOfContainer } from "./record.ts";
import { tellLog } from "./report.ts";
import { updateSystemd } from "./systemd-cgroup.ts";
import { resourcesOfFlags, UPDATE_FLAGS, type UpdateFlags } from "./update-resources.ts";

const FLAGS = {
  ...Object.fromEntries(UPDATE_FLAGS.map((name) => [name, text("", "VALUE", "A limit")])),
  resources: text("r", "FILE", "The limits as JSON, as in config.json; - is standard input"),
};

export const help = { usage: "[FLAGS] CONTAINER", flags: FLAGS };

export function run(argv: readonly string[], globals: Globals): number {
  const { flags, rest } = parseFlags("update", FLAGS, argv, { program: programName() });
  const id = oneId("update", rest);
  using lock = lockRecord(globals.root, checkId(id));
  if (lock === undefined) throw new Failure("container does not exist");
  const record = recordOf(globals.root, id);
  if (statusOfContainer(globals.root, record) === "stopped") throw new Failure("container not running");
  if (record.cgroupPath === undefined) throw new Failure("cannot update: the container has no cgroup");
  const { resources, ...given } = flags as UpdateFlags & { readonly resources?: string };
  const spec = configOf(globals.root, record);
  const current = spec.linux?.resources ?? {};
  const asked = resources === undefined ? askedByFlags(given, globals) : readResources(resources);
  const update = completeUpdate(asked, current);
  refuseBelowUsage(record.cgroupPath, update);
  const plan = planUpdate(detectLayout(), record.cgroupPath, update, current);
  // Before us: it rounds a quota up.
  if (record.systemd !== undefined) updateSystemd(record.systemd, update);
  for (const warning of [...plan.warnings, ...updateCgroup(plan)]) tellLog(globals, "warning", warning);
  const after: Spec = { ...spec, linux: { ...spec.linux, resources: mergeResources(current, update) } };
  replaceFile(pathsOf(globals.root, id).config, stringifyExact(after), { durable: false });
  return 0;
}

function askedByFlags(given: UpdateFlags, globals: Globals): Resources {
  const { resources, rdt, warnings } = resourcesOfFlags(given);
  for (const warning of warnings) tellLog(globals, "warning", warning);
  if (rdt.l3CacheSchema !== undefined || rdt.memBwSchema !== undefined) {
    throw new Failure("Intel RDT is not enabled for this container");
  }
  return resources;
}

function readResources(path: string): Resources {
  const resources = parseResources(path === "-" ? readAllText(0, "standard input") : readText(path));
  checkResources(resources, "resources");
  return resources;
}
