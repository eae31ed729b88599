/**
 * config.toml: what holds where nothing is asked. /etc/mycontainer/config.toml, then ~/.config/mycontainer/config.toml.
 */
import { BUILT_IN_DEFAULTS, type Defaults } from "../container/options.ts";
import { variable } from "../container/paths.ts";
import { Failure } from "../failure.ts";
import { readTextIfThere } from "../linux/hostpath.ts";
import { parseCpus, parseSize, parseWhole } from "./values.ts";

const SYSTEM_FILE = "/etc/mycontainer/config.toml";

/** The parser is loaded only if there is a file to parse. */
export async function readDefaults(): Promise<Defaults> {
  const home = variable("HOME");
  const files = variable("MYCONTAINER_CONFIG") ?? undefined;
  const paths =
    files !== undefined
      ? [files]
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
    if (section !== "defaults" || typeof values !== "object" || values === null) {
      throw new Failure(`${path}: unknown section '${section}'`, { hint: "there is one: [defaults]" });
    }
    for (const [name, value] of Object.entries(values)) {
      const text = String(value);
      switch (name) {
        case "memory":
          found.memoryBytes = parseSize(text, `${path}: memory size`);
          break;
        case "cpus":
          found.cpus = parseCpus(text);
          break;
        case "pids-limit":
          found.pids = parseWhole(text, `${path}: number of processes`, 0, 4_194_304);
          break;
        case "shm-size":
          found.shmSizeBytes = parseSize(text, `${path}: size of /dev/shm`);
          break;
        case "stop-timeout":
          found.stopTimeoutSeconds = parseWhole(text, `${path}: stop timeout`, 0, 1_000_000);
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
