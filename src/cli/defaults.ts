/**
 * config.toml: what holds where nothing is asked. /etc/mycontainer/config.toml, then ~/.config/mycontainer/config.toml.
 */
import { BUILT_IN_DEFAULTS, type Defaults } from "../container/options.ts";
import { Failure } from "../failure.ts";
import { variable } from "../linux/environment.ts";
import { readTextIfThere } from "../linux/hostpath.ts";
import { LONGEST_STOP_SECONDS, MOST_PROCESSES, parseCpus, parseMemory, parseSize, parseWhole } from "./values.ts";

const SYSTEM_FILE = "/etc/mycontainer/config.toml";

/** The parser is loaded only if there is a file to parse. */
export async function readDefaults(): Promise<Defaults> {
  const home = variable("HOME");
  const named = variable("MYCONTAINER_CONFIG");
  const paths =
    named !== undefined
      ? [named]
      : [SYSTEM_FILE, ...(home === undefined ? [] : [`${home}/.config/mycontainer/config.toml`])];
  let defaults = BUILT_IN_DEFAULTS;
  for (const path of paths) {
    const text = readTextIfThere(path);
    if (text === undefined) continue;
    const { parse } = await import("smol-toml");
    let data: Record<string, unknown>;
    try {
      data = parse(text);
    } catch (error) {
      throw new Failure(`${path}: ${error instanceof Error ? (error.message.split("\n")[0] ?? "") : error}`);
    }
    defaults = { ...defaults, ...defaultsOf(data, path) };
  }
  return defaults;
}

/** Checks what a file says, and takes it over. Unknown names are errors: a slip must not go unnoticed. */
export function defaultsOf(data: Readonly<Record<string, unknown>>, path: string): Partial<Defaults> {
  const found: { -readonly [Name in keyof Defaults]?: Defaults[Name] } = {};
  for (const [section, values] of Object.entries(data)) {
    if (section !== "defaults" || typeof values !== "object" || values === null || Array.isArray(values)) {
      throw new Failure(`${path}: unknown section '${section}'`, { hint: "there is one: [defaults]" });
    }
    for (const [name, value] of Object.entries(values)) {
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
  }
  return found;
}

/** Quantities are written as on the command line, with or without quotes. */
function textOf(value: unknown, about: string): string {
  if (typeof value === "string" || typeof value === "number" || typeof value === "bigint") return String(value);
  throw new Failure(`${about} is neither a number nor a text`, { hint: 'as in memory = "512m"' });
}
