/**
 * Credentials that `login`, docker's or podman's, has left: in files (docker's config.json, containers-auth.json(5)), or with the
 * programs that these name.
 */
import { Failure } from "../failure.ts";
import { utf8 } from "../linux/door.ts";
import { variableIn } from "../linux/environment.ts";
import { isErrno } from "../linux/error.ts";
import { makeDirectories, readText, replaceFile } from "../linux/hostpath.ts";
import { isObject } from "../spec/json.ts";
import { toBase64 } from "./base64.ts";
import { eraseSecret, isToken, secretOf, storeSecret } from "./helpers.ts";

export interface Credentials {
  /** base64 of `user:password`, as `Authorization: Basic` takes it. */
  readonly basic: string | undefined;
  /** What an authorization server takes in place of them (OAuth 2, RFC 6749 section 6). */
  readonly refreshToken: string | undefined;
}

/** What is in a file, as it is. */
type Content = Readonly<Record<string, unknown>>;

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

/** Names under which a registry may stand in a file; it is written under the first. */
export function keysOf(domain: string): readonly [string, ...string[]] {
  if (domain === "docker.io") return DOCKER_HUB;
  return [domain, `https://${domain}`, `https://${domain}/`, `https://${domain}/v1/`, `https://${domain}/v2/`];
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);
const membersOf = (value: unknown): Content => (isObject(value) ? value : {});
const fieldOf = (members: Content, key: string): unknown => (Object.hasOwn(members, key) ? members[key] : undefined);

/** A file's content. Throws a Failure if it is not what it should be. Pure. */
function parseFile(text: string, file: string): Content {
  try {
    return membersOf(JSON.parse(text));
  } catch (error) {
    throw new Failure(`${file} is not JSON`, { hint: "correct it, or log in anew", cause: error });
  }
}

/** The file's content; undefined if there is none. */
function readFile(file: string): Content | undefined {
  try {
    return parseFile(readText(file, FILE_LIMIT_BYTES), file);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    if (error instanceof RangeError) throw new Failure(`${file} is larger than ${FILE_LIMIT_BYTES} bytes`);
    throw error;
  }
}

/** The program that keeps a registry's credentials, as a file says; undefined if they are in the file. Pure. */
export function helperFor(content: Content, domain: string): string | undefined {
  const helpers = membersOf(content["credHelpers"]);
  const own = keysOf(domain).map((key) => textOf(fieldOf(helpers, key)));
  return own.find((name) => name !== undefined) ?? textOf(content["credsStore"]);
}

/** What a file itself has for a registry; undefined if nothing. Pure. Throws a Failure if that is malformed. */
export function credentialsIn(content: Content, domain: string, file: string): Credentials | undefined {
  const auths = membersOf(content["auths"]);
  for (const key of keysOf(domain)) {
    const entry = fieldOf(auths, key);
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

/** As `credentialsIn`, of a file's text. */
export function parseCredentials(text: string, domain: string, file: string): Credentials | undefined {
  return credentialsIn(parseFile(text, file), domain, file);
}

export const basicOf = (user: string, password: string): string => toBase64(utf8(`${user}:${password}`));

/** What the first file that knows the registry has for it, or the program that it names. */
export function findCredentials(domain: string, environment: readonly string[]): Credentials | undefined {
  for (const file of filesFor(environment)) {
    const content = readFile(file);
    if (content === undefined) continue;
    const helper = helperFor(content, domain);
    const kept = helper === undefined ? undefined : secretOf(helper, keysOf(domain)[0]);
    if (kept !== undefined) {
      return isToken(kept)
        ? { basic: undefined, refreshToken: kept.secret }
        : { basic: basicOf(kept.user, kept.secret), refreshToken: undefined };
    }
    const found = credentialsIn(content, domain, file);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The file that `login` writes to: of those that are there the first, or else the last. */
function fileToWrite(environment: readonly string[]): { file: string; content: Content } {
  const files = filesFor(environment);
  for (const file of files) {
    const content = readFile(file);
    if (content !== undefined) return { file, content };
  }
  return { file: files.at(-1) ?? "", content: {} };
}

function write(file: string, content: Content): void {
  makeDirectories(file.slice(0, file.lastIndexOf("/")) || "/");
  replaceFile(file, `${JSON.stringify(content, null, "\t")}\n`, { durable: true, mode: 0o600 });
}

/** The content without what it has of a registry. Pure. */
export function withoutRegistry(content: Content, domain: string): Content {
  const auths = Object.entries(membersOf(content["auths"])).filter(([key]) => !keysOf(domain).includes(key));
  return { ...content, auths: Object.fromEntries(auths) };
}

/**
 * Keeps credentials for the commands to come.
 * @returns where: a file, or the program that it names
 */
export function keepCredentials(
  domain: string,
  { user, password }: { readonly user: string; readonly password: string },
  environment: readonly string[],
): { readonly place: string; readonly isOpen: boolean } {
  const { file, content } = fileToWrite(environment);
  const helper = helperFor(content, domain);
  const [key] = keysOf(domain);
  const rest = withoutRegistry(content, domain);
  if (helper !== undefined) {
    storeSecret(helper, key, { user, secret: password });
    write(file, { ...rest, auths: { ...membersOf(rest["auths"]), [key]: {} } });
    return { place: `docker-credential-${helper}`, isOpen: false };
  }
  write(file, { ...rest, auths: { ...membersOf(rest["auths"]), [key]: { auth: basicOf(user, password) } } });
  return { place: file, isOpen: true };
}

/** Forgets credentials, in every file and with the programs that they name. Returns whether there were any. */
export function forgetCredentials(domain: string, environment: readonly string[]): boolean {
  let found = false;
  for (const file of filesFor(environment)) {
    const content = readFile(file);
    if (content === undefined) continue;
    const helper = helperFor(content, domain);
    if (helper !== undefined && eraseSecret(helper, keysOf(domain)[0])) found = true;
    const rest = withoutRegistry(content, domain);
    const [before, after] = [content, rest].map((one) => Object.keys(membersOf(one["auths"])).length);
    if (before === after) continue;
    write(file, rest);
    found = true;
  }
  return found;
}
