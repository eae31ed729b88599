/**
 * `import --change`: instructions of a Dockerfile that say how the image is to be run. Pure.
 */
import { Failure } from "../failure.ts";
import type { ImageConfig } from "../spec/image.ts";
import { parseHealthcheck } from "./healthcheck.ts";

type Draft = { -readonly [Name in keyof ImageConfig]: ImageConfig[Name] };

const SHELL = ["/bin/sh", "-c"] as const;
const PORT = /^[0-9]{1,5}(?:-[0-9]{1,5})?(?:\/(?:tcp|udp|sctp))?$/;

function bad(change: string, reason: string): Failure {
  return new Failure(`bad change '${change}': ${reason}`, {
    hint: "changes look like 'CMD [\"sh\"]', 'ENV NAME=VALUE', 'USER 1000' or 'WORKDIR /srv'",
  });
}

/** `["a","b"]` as a list; undefined if it is no list of texts. */
function jsonList(text: string): string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list) && list.every((item): item is string => typeof item === "string")) return list;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return undefined;
}

/** Words as a Dockerfile has them: blanks separate, quotes and backslashes keep. */
function words(text: string): string[] {
  const found: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === "\\" && quote !== "'" && at + 1 < text.length) word = (word ?? "") + text.charAt(++at);
    else if (quote !== "" && character === quote) quote = "";
    else if (quote === "" && (character === '"' || character === "'")) [quote, word] = [character, word ?? ""];
    else if (quote === "" && (character === " " || character === "\t")) {
      if (word !== undefined) found.push(word);
      word = undefined;
    } else word = (word ?? "") + character;
  }
  if (word !== undefined) found.push(word);
  return found;
}

/** `A=1 B="2 3"`, or, as Dockerfiles had it first, `A 1 2`. */
function pairs(change: string, text: string): [name: string, value: string][] {
  const parts = words(text);
  const first = parts[0] ?? "";
  if (!first.includes("=")) {
    if (parts.length < 2) throw bad(change, "a value is missing");
    return [[first, text.slice(text.indexOf(first) + first.length).trim()]];
  }
  return parts.map((part) => {
    const equals = part.indexOf("=");
    if (equals <= 0) throw bad(change, `'${part}' is not of the form NAME=VALUE`);
    return [part.slice(0, equals), part.slice(equals + 1)];
  });
}

const keys = (names: readonly string[]): Record<string, object> => Object.fromEntries(names.map((name) => [name, {}]));

function apply(config: Draft, change: string): void {
  const text = change.trim();
  const blank = text.search(/\s/);
  const instruction = (blank < 0 ? text : text.slice(0, blank)).toUpperCase();
  const value = blank < 0 ? "" : text.slice(blank).trim();
  if (value === "") throw bad(change, "a value is missing");
  switch (instruction) {
    case "CMD":
      config.Cmd = jsonList(value) ?? [...SHELL, value];
      return;
    case "ENTRYPOINT":
      config.Entrypoint = jsonList(value) ?? [...SHELL, value];
      return;
    case "ENV": {
      const set = pairs(change, value);
      const names = new Set(set.map(([name]) => name));
      const others = (config.Env ?? []).filter((entry) => !names.has(entry.slice(0, entry.indexOf("="))));
      config.Env = [...others, ...set.map(([name, text]) => `${name}=${text}`)];
      return;
    }
    case "HEALTHCHECK": {
      const check = parseHealthcheck(value, jsonList);
      if (typeof check === "string") throw bad(change, check);
      config.Healthcheck = check;
      return;
    }
    case "LABEL":
      config.Labels = { ...config.Labels, ...Object.fromEntries(pairs(change, value)) };
      return;
    case "USER":
      config.User = value;
      return;
    case "WORKDIR":
      config.WorkingDir = value.startsWith("/") ? value : `${config.WorkingDir ?? ""}/${value}`;
      return;
    case "EXPOSE": {
      const ports = words(value);
      for (const port of ports) if (!PORT.test(port)) throw bad(change, `'${port}' is no port`);
      const named = ports.map((port) => (port.includes("/") ? port : `${port}/tcp`));
      config.ExposedPorts = { ...config.ExposedPorts, ...keys(named) };
      return;
    }
    case "VOLUME":
      config.Volumes = { ...config.Volumes, ...keys(jsonList(value) ?? words(value)) };
      return;
    case "STOPSIGNAL":
      config.StopSignal = value;
      return;
    default:
      throw bad(change, `'${instruction}' cannot be changed`);
  }
}

/** What some changes, one after another, make of nothing. Throws a Failure for what is none. */
export function applyChanges(changes: readonly string[]): ImageConfig {
  const config: Draft = {};
  for (const change of changes) apply(config, change);
  return config;
}
