/**
 * Credentials that `docker login` or `podman login` have left in files: docker's config.json, containers-auth.json(5).
 */
import { Failure } from "../failure.ts";
import { variableIn } from "../linux/environment.ts";
import { isErrno } from "../linux/error.ts";
import { readText } from "../linux/hostpath.ts";
import { isObject } from "../spec/json.ts";

export interface Credentials {
  /** base64 of `user:password`, as `Authorization: Basic` takes it. */
  readonly basic: string | undefined;
  /** What an authorization server takes in place of them (OAuth 2, RFC 6749 section 6). */
  readonly refreshToken: string | undefined;
}

const FILE_LIMIT_BYTES = 1024 * 1024;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const DOCKER_HUB = ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"] as const;

/** The files in the order in which they are asked. Pure. */
export function filesFor(environment: readonly string[]): readonly string[] {
  const named = variableIn(environment, "REGISTRY_AUTH_FILE");
  if (named) return [named];
  const runtime = variableIn(environment, "XDG_RUNTIME_DIR");
  const home = variableIn(environment, "HOME") || "/root";
  const docker = variableIn(environment, "DOCKER_CONFIG") || `${home}/.docker`;
  return [...(runtime ? [`${runtime}/containers/auth.json`] : []), `${docker}/config.json`];
}

/** Names under which a registry may stand in a file. */
function keysOf(domain: string): readonly string[] {
  if (domain === "docker.io") return DOCKER_HUB;
  return [domain, `https://${domain}`, `https://${domain}/`, `https://${domain}/v1/`, `https://${domain}/v2/`];
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

/**
 * What a file has for a registry; undefined if nothing. Pure. Throws a Failure if the file is not what it should be.
 * @param file its path, for messages
 */
export function parseCredentials(text: string, domain: string, file: string): Credentials | undefined {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new Failure(`${file} is not JSON`, { hint: "correct it, or log in anew", cause: error });
  }
  const auths = isObject(content) && isObject(content["auths"]) ? content["auths"] : {};
  for (const key of keysOf(domain)) {
    const entry = Object.hasOwn(auths, key) ? auths[key] : undefined;
    if (!isObject(entry)) continue;
    const basic = textOf(entry["auth"]);
    const refreshToken = textOf(entry["identitytoken"]);
    if (basic !== undefined && !BASE64.test(basic)) {
      throw new Failure(`${file}: the 'auth' of '${key}' is not base64`, { hint: "log in anew" });
    }
    if (basic !== undefined || refreshToken !== undefined) return { basic, refreshToken };
  }
  return undefined;
}

/** What the first file that knows the registry has for it. */
export function findCredentials(domain: string, environment: readonly string[]): Credentials | undefined {
  for (const file of filesFor(environment)) {
    let text: string;
    try {
      text = readText(file, FILE_LIMIT_BYTES);
    } catch (error) {
      if (isErrno(error, "ENOENT", "ENOTDIR")) continue;
      throw error;
    }
    const found = parseCredentials(text, domain, file);
    if (found !== undefined) return found;
  }
  return undefined;
}
