/**
 * References to images, by docker's grammar (distribution/reference): `[domain/]path[:tag][@digest]`. Pure.
 */
import { Failure } from "../failure.ts";

/** The image that is made when this program is built. */
export const BUILT_IN = "docker.io/library/busybox:latest";

/** A name in full: the domain is always there. */
export interface Reference {
  readonly domain: string;
  /** Below the domain: `library/busybox`. */
  readonly path: string;
  /** `latest` if neither tag nor digest was given. */
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const DEFAULT_DOMAIN = "docker.io";
/** What docker.io was called once. */
const OLD_DEFAULT_DOMAIN = "index.docker.io";
/** Where images of docker.io are that have no owner. */
const OFFICIAL = "library";
const DEFAULT_TAG = "latest";
/** Of domain and path. */
const NAME_LIMIT = 255;

const DOMAIN =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const PATH_PART = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
/** It would be taken for an id. */
const IDENTIFIER = /^[0-9a-f]{64}$/;

/** Whether a text is a digest as we use them: anything else must not become part of a path. */
export function isDigest(text: unknown): text is string {
  return typeof text === "string" && DIGEST.test(text);
}

/** A digest's digits. */
export function hexOf(digest: string): string {
  return digest.slice("sha256:".length);
}

function bad(text: string, reason: string): Failure {
  return new Failure(`invalid image name '${text}': ${reason}`, {
    hint: "names look like 'busybox', 'alpine:3.20' or 'registry.example/team/app:1.0'",
  });
}

/** Whether the part before the first slash is a domain and no part of the path. */
function isDomain(part: string): boolean {
  return part.includes(".") || part.includes(":") || part === "localhost" || part.toLowerCase() !== part;
}

/** `busybox` -> docker.io/library/busybox:latest. Throws a Failure for what is no name. */
export function parseReference(text: string): Reference {
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) throw bad(text, "what follows '@' is no sha256 digest");
  const whole = at < 0 ? text : text.slice(0, at);
  const colon = whole.lastIndexOf(":");
  const hasTag = colon > whole.lastIndexOf("/");
  const tag = hasTag ? whole.slice(colon + 1) : undefined;
  if (tag !== undefined && !TAG.test(tag)) throw bad(text, "the tag is of letters, digits and '_.-', at most 128");
  const name = hasTag ? whole.slice(0, colon) : whole;
  if (IDENTIFIER.test(name)) throw bad(text, "64 hexadecimal digits are an id and no name");
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const explicit = slash >= 0 && isDomain(first);
  const domain = explicit && first !== OLD_DEFAULT_DOMAIN ? first : DEFAULT_DOMAIN;
  const given = explicit ? name.slice(slash + 1) : name;
  const path = domain === DEFAULT_DOMAIN && !given.includes("/") ? `${OFFICIAL}/${given}` : given;
  if (name === "") throw bad(text, "it is empty");
  if (domain.length + 1 + path.length > NAME_LIMIT) throw bad(text, `it is longer than ${NAME_LIMIT}`);
  if (!DOMAIN.test(domain)) throw bad(text, `'${domain}' is no domain`);
  for (const part of path.split("/")) {
    if (PATH_PART.test(part)) continue;
    throw bad(
      text,
      part.toLowerCase() === part
        ? "parts are of letters and digits, with '.', '_' or '-' between"
        : "it must be in lower case",
    );
  }
  return { domain, path, tag: tag ?? (digest === undefined ? DEFAULT_TAG : undefined), digest };
}

/** `docker.io/library/busybox:latest`: what an image is stored under. The digest is not part of it. */
export function fullName({ domain, path, tag }: Reference): string {
  return `${domain}/${path}${tag === undefined ? "" : `:${tag}`}`;
}

/** What an image is stored under that was asked for so: with the digest in the tag's place, if there was one. */
export function storedName(reference: Reference): string {
  if (reference.digest === undefined) return fullName(reference);
  return `${fullName({ ...reference, tag: undefined })}@${reference.digest}`;
}

/** Where in a full name the tag or the digest begins, with its separator; -1 if there is neither. */
function endOfRepository(full: string): number {
  const at = full.indexOf("@");
  if (at >= 0) return at;
  const colon = full.lastIndexOf(":");
  return colon > full.lastIndexOf("/") ? colon : -1;
}

/** Whether a name, in full or as people write it, says which of a repository's images is meant. */
export function hasTagOrDigest(name: string): boolean {
  return endOfRepository(name) >= 0;
}

/** A full name without tag and digest. */
export function repositoryOf(full: string): string {
  const end = endOfRepository(full);
  return end < 0 ? full : full.slice(0, end);
}

/** As people write it: `docker.io/library/busybox:latest` -> `busybox:latest`. */
export function familiarName(full: string): string {
  const rest = full.startsWith(`${DEFAULT_DOMAIN}/`) ? full.slice(DEFAULT_DOMAIN.length + 1) : full;
  const short = rest.startsWith(`${OFFICIAL}/`) && rest !== full ? rest.slice(OFFICIAL.length + 1) : rest;
  // Without the domain, the first part must not look like one.
  return short !== full && short.includes("/") && isDomain(short.slice(0, short.indexOf("/"))) ? full : short;
}

/** Repository and tag of a full name, as `images` shows them. */
export function repositoryAndTag(full: string): [repository: string, tag: string] {
  const familiar = familiarName(full);
  const end = endOfRepository(familiar);
  if (end < 0) return [familiar, "<none>"];
  return [familiar.slice(0, end), familiar.charAt(end) === "@" ? "<none>" : familiar.slice(end + 1)];
}

/** The last part of a path: `library/busybox` -> `busybox`. */
export function baseNameOf({ path }: Reference): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
