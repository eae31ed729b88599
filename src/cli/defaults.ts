/**
 * The section [defaults] of config.toml: what holds where nothing is asked.
 */
import { BUILT_IN_DEFAULTS, type Defaults } from "../container/options.ts";
import { Failure } from "../failure.ts";
import { isObject } from "../spec/json.ts";
import { checkSections, readConfigFiles } from "./config-file.ts";
import { LONGEST_STOP_SECONDS, MOST_PROCESSES, parseCpus, parseMemory, parseSize, parseWhole } from "./values.ts";

export async function readDefaults(): Promise<Defaults> {
  let defaults = BUILT_IN_DEFAULTS;
  for (const { path, data } of await readConfigFiles()) defaults = { ...defaults, ...defaultsOf(data, path) };
  return defaults;
}

/** Checks what a file says, and takes it over. Unknown names are errors: a slip must not go unnoticed. */
export function defaultsOf(data: Readonly<Record<string, unknown>>, path: string): Partial<Defaults> {
  const found: { -readonly [Name in keyof Defaults]?: Defaults[Name] } = {};
  checkSections({ path, data });
  const section = data["defaults"];
  for (const [name, value] of Object.entries(isObject(section) ? section : {})) {
    const text = textOf(value, `${path}: ${name}`);
    switch (name) {
      case "memory":
        found.memoryBytes = parseMemory(text, `memory size in ${path}:`);
        break;
      case "cpus":
        found.cpus = parseCpus(text, `number of cores in ${path}:`);
        break;
      case "pids-limit":
        found.pids = parseWhole(text, `number of processes in ${path}:`, 0, MOST_PROCESSES);
        break;
      case "shm-size":
        found.shmSizeBytes = parseSize(text, `size of /dev/shm in ${path}:`);
        break;
      case "stop-timeout":
        found.stopTimeoutSeconds = parseWhole(text, `stop timeout in ${path}:`, 0, LONGEST_STOP_SECONDS);
        break;
      default:
        throw new Failure(`${path}: unknown name '${name}' in [defaults]`, {
          hint: "there are memory, cpus, pids-limit, shm-size and stop-timeout",
        });
    }
  }
  return found;
}

/** Quantities are written as on the command line, with or without quotes. */
function textOf(value: unknown, about: string): string {
  if (typeof value === "string" || typeof value === "number" || typeof value === "bigint") return String(value);
  throw new Failure(`${about} is neither a number nor a text`, { hint: 'as in memory = "512m"' });
}
