/**
 * config.toml: /etc/mycontainer/config.toml, then ~/.config/mycontainer/config.toml, or the one that MYCONTAINER_CONFIG names.
 */
import { Failure } from "../failure.ts";
import { variable } from "../linux/environment.ts";
import { readTextIfThere } from "../linux/hostpath.ts";
import { NO_SETTINGS, type RegistrySettings } from "../registry/settings.ts";
import { isObject } from "../spec/json.ts";

const SYSTEM_FILE = "/etc/mycontainer/config.toml";

export interface ConfigFile {
  readonly path: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The files that there are, the system's first. The parser is loaded only if there is one. */
export async function readConfigFiles(): Promise<ConfigFile[]> {
  const home = variable("HOME");
  const named = variable("MYCONTAINER_CONFIG");
  const paths =
    named !== undefined
      ? [named]
      : [SYSTEM_FILE, ...(home === undefined ? [] : [`${home}/.config/mycontainer/config.toml`])];
  const files: ConfigFile[] = [];
  for (const path of paths) {
    const text = readTextIfThere(path);
    if (text === undefined) continue;
    const { parse } = await import("smol-toml");
    try {
      files.push({ path, data: parse(text) });
    } catch (error) {
      throw new Failure(`${path}: ${error instanceof Error ? (error.message.split("\n")[0] ?? "") : error}`);
    }
  }
  return files;
}

/** Sections that there are; what is in one is checked where it is used. */
export function checkSections({ path, data }: ConfigFile): void {
  for (const [section, values] of Object.entries(data)) {
    if ((section === "defaults" || section === "registries") && isObject(values)) continue;
    throw new Failure(`${path}: unknown section '${section}'`, { hint: "there are [defaults] and [registries]" });
  }
}

const HOST = /^[A-Za-z0-9.-]+(?::[0-9]{1,5})?$|^\[[0-9a-fA-F:]+\](?::[0-9]{1,5})?$/;
const HOSTS_LIMIT = 1000;

function hostsOf(value: unknown, about: string): string[] {
  const list = Array.isArray(value) ? value : undefined;
  if (list === undefined || list.length > HOSTS_LIMIT) {
    throw new Failure(`${about} is no list of hosts`, { hint: 'as in ["registry.example:5000"]' });
  }
  return list.map((host) => {
    if (typeof host === "string" && HOST.test(host)) return host;
    throw new Failure(`${about}: '${host}' is no host`, { hint: "a name or address, with ':PORT' if it has one" });
  });
}

const TIMEOUT_MOST_SECONDS = 3600;

function secondsOf(value: unknown, about: string): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= TIMEOUT_MOST_SECONDS) return value;
  throw new Failure(`${about} is no number of seconds from 1 to ${TIMEOUT_MOST_SECONDS}`);
}

/** What a file says of registries, added to what is known. Pure. */
export function registrySettingsOf({ path, data }: ConfigFile, before: RegistrySettings): RegistrySettings {
  const section = data["registries"];
  let { insecure, timeoutMs } = before;
  const mirrors = new Map(before.mirrors);
  for (const [name, value] of Object.entries(isObject(section) ? section : {})) {
    const about = `${path}: registries.${name}`;
    // Those are names of images: aliases.ts.
    if (name === "aliases") continue;
    if (name === "insecure") insecure = [...insecure, ...hostsOf(value, about)];
    else if (name === "timeout") timeoutMs = secondsOf(value, about) * 1000;
    else if (name === "mirrors" && isObject(value)) {
      for (const [domain, hosts] of Object.entries(value)) mirrors.set(domain, hostsOf(hosts, `${about}."${domain}"`));
    } else {
      throw new Failure(`${path}: unknown name '${name}' in [registries]`, {
        hint: 'there are insecure = ["HOST"], timeout = SECONDS, the table [registries.mirrors] with "docker.io" = ["HOST"], and aliases',
      });
    }
  }
  return { insecure, mirrors, timeoutMs };
}

export async function readRegistrySettings(): Promise<RegistrySettings> {
  let settings = NO_SETTINGS;
  for (const file of await readConfigFiles()) {
    checkSections(file);
    settings = registrySettingsOf(file, settings);
  }
  return settings;
}
