/**
 * Short names of images: `[registries] aliases` of config.toml, as those of containers-registries.conf(5).
 */
import { Failure } from "../failure.ts";
import { hasTagOrDigest, parseReference } from "../image/reference.ts";
import { isObject } from "../spec/json.ts";
import { type ConfigFile, checkSections, readConfigFiles } from "./config-file.ts";

/** A name as the user gives it -> the name that is meant. What is no short name stays as it is. */
export type Expand = (name: string) => string;

const SHORT = /^[a-z0-9._/-]+$/;

/** What a file says of short names, added to what is known. Throws a Failure for what cannot be one. Pure. */
export function aliasesOf({ path, data }: ConfigFile, before: ReadonlyMap<string, string>): Map<string, string> {
  const aliases = new Map(before);
  const section = data["registries"];
  const table = isObject(section) ? section["aliases"] : undefined;
  if (table === undefined) return aliases;
  const about = `${path}: registries.aliases`;
  if (!isObject(table))
    throw new Failure(`${about} is no table`, { hint: 'as in { "mine" = "registry.example/mine" }' });
  for (const [name, target] of Object.entries(table)) {
    if (!SHORT.test(name) || !isShort(name)) {
      throw new Failure(`${about}: '${name}' is no short name`, { hint: "it has neither a domain nor a tag: mine" });
    }
    if (typeof target !== "string" || hasTagOrDigest(target)) {
      throw new Failure(`${about}."${name}" is no name without a tag`, { hint: 'as in "registry.example/team/mine"' });
    }
    parseReference(target);
    aliases.set(name, target);
  }
  return aliases;
}

/** Whether a name is one of docker.io because it says nothing else. */
function isShort(name: string): boolean {
  const { domain, path } = parseReference(name);
  return domain === "docker.io" && (path === name || path === `library/${name}`);
}

/** Pure. */
export function expandWith(aliases: ReadonlyMap<string, string>): Expand {
  return (name) => {
    const at = name.indexOf("@");
    const whole = at < 0 ? name : name.slice(0, at);
    const colon = whole.lastIndexOf(":");
    const end = colon > whole.lastIndexOf("/") ? colon : whole.length;
    const target = aliases.get(name.slice(0, end));
    return target === undefined ? name : `${target}${name.slice(end)}`;
  };
}

/** All short names that there are here, with what they stand for. */
export async function readAliasTable(): Promise<ReadonlyMap<string, string>> {
  let aliases: ReadonlyMap<string, string> = new Map();
  for (const file of await readConfigFiles()) {
    checkSections(file);
    aliases = aliasesOf(file, aliases);
  }
  return aliases;
}

/** What short names stand for here. */
export async function readAliases(): Promise<Expand> {
  return expandWith(await readAliasTable());
}

/** Words that begin with an image, with the name that a short one stands for. */
export async function withFullName([image, ...command]: readonly string[]): Promise<readonly string[]> {
  return image === undefined ? [] : [(await readAliases())(image), ...command];
}
