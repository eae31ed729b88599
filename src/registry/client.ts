/**
 * The client of a registry: manifests, blobs and tags (distribution-spec, "Pull" and "Push").
 */
import { Failure } from "../failure.ts";
import { decode } from "../linux/door.ts";
import type { Handle } from "../linux/fd.ts";
import { isObject } from "../spec/json.ts";
import { type Answer, type Sink, TransportError } from "./exchange.ts";
import { originOf } from "./location.ts";
import { retryAfterMs } from "./retry.ts";
import { type Ask, Session, type Surroundings } from "./session.ts";

const MANIFEST_TYPES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");
const OCTETS = "application/octet-stream";
const TAGS_LIMIT = 10_000;
/** distribution-spec, "Pulling manifests". */
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
/** Of what a registry says of an error. */
const MESSAGE_LIMIT = 300;

/** Of an image: src/image/reference.ts. */
export interface Named {
  readonly domain: string;
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

type Repository = Pick<Named, "domain" | "path">;

/** A blob or manifest that lies in a file. */
export interface Content {
  readonly digest: string;
  readonly handle: Handle;
  readonly sizeBytes: number;
}

export type Uploaded = "there" | "mounted" | "sent";

/** Where a domain's registry is asked. */
export const hostOf = (domain: string): string => (domain === "docker.io" ? "registry-1.docker.io" : domain);
const query = (pairs: Readonly<Record<string, string>>): string =>
  Object.entries(pairs)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join("&");

/** What a registry says is wrong (distribution-spec, "Error Codes"), on one line; empty if it says nothing. Pure. */
export function saidBy({ body }: Pick<Answer, "body">): string {
  try {
    const said: unknown = JSON.parse(decode(body));
    const errors = isObject(said) && Array.isArray(said["errors"]) ? said["errors"] : [];
    const texts = errors.filter(isObject).map(({ message, code }) => message || code);
    const text = texts.filter((one) => typeof one === "string").join("; ");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not reach a terminal is taken out
    return text.replace(/[\x00-\x1f\x7f-\x9f]+/g, " ").slice(0, MESSAGE_LIMIT);
  } catch {
    return "";
  }
}

/** What an answer that is none of the hoped for means. */
export function failureOf(answer: Answer, what: string, nowMs = Date.now()): Failure {
  const { status } = answer;
  const said = saidBy(answer);
  const more = said === "" ? "" : `: ${said}`;
  if (status === 404) return new Failure(`there is no ${what}${more}`);
  if (status === 401 || status === 403) {
    return new Failure(`no access to ${what}${more}`, {
      hint: "does it exist? for a private one, 'mycontainer login' tells the registry who you are",
    });
  }
  if (status === 429) {
    const waitMs = retryAfterMs(answer, nowMs);
    return new Failure(`the registry refuses ${what}: too many requests${more}`, {
      hint: `${waitMs === undefined ? "try it later" : `try it again in ${Math.ceil(waitMs / 1000)} seconds`}; who is logged in may ask more often`,
    });
  }
  return new Failure(`the registry answers ${status} when asked for ${what}${more}`);
}

/** The tags of a list (distribution-spec, "Content Discovery"). Throws a Failure for what is none. Pure. */
export function parseTags(body: string, path: string): readonly string[] {
  const wrong = (reason: string): Failure => new Failure(`the registry's list of tags of ${path} ${reason}`);
  let list: unknown;
  try {
    list = JSON.parse(body);
  } catch {
    throw wrong("is no JSON");
  }
  const tags = isObject(list) ? list["tags"] : undefined;
  if (tags === null) return [];
  if (!Array.isArray(tags)) throw wrong("is none");
  return tags.map((tag: unknown) => {
    if (typeof tag === "string" && TAG.test(tag)) return tag;
    throw wrong(`has ${JSON.stringify(tag).slice(0, MESSAGE_LIMIT)}, which is no tag`);
  });
}

export class Registry {
  readonly #session: Session;
  readonly #mirrors: ReadonlyMap<string, readonly string[]>;
  /** The mirror that an image's manifest came from, by its repository: its blobs are there, too. */
  readonly #chosen = new Map<string, string>();

  constructor(around: Surroundings) {
    this.#session = new Session(around);
    this.#mirrors = around.settings.mirrors;
  }

  #ask(
    { domain, path }: Repository,
    host: string,
    access: "pull" | "pull,push",
    ask: Omit<Ask, "host" | "domain" | "scope">,
    progress?: (bytes: number) => void,
  ): Promise<Answer> {
    const scope = `repository:${path}:${access}`;
    // A mirror has credentials of its own.
    const filed = host === hostOf(domain) ? domain : host;
    const below = originOf(ask.path) === "" ? `${path}/${ask.path}` : ask.path;
    return this.#session.ask({ ...ask, path: below, host, domain: filed, scope }, progress);
  }

  /** Asks the mirrors of a registry first, then itself. */
  async #get(
    repository: Repository,
    ask: Omit<Ask, "host" | "domain" | "scope" | "method">,
    progress?: (bytes: number) => void,
  ): Promise<Answer> {
    const key = `${repository.domain}/${repository.path}`;
    const own = hostOf(repository.domain);
    const known = this.#chosen.get(key);
    const hosts = known === undefined ? [...(this.#mirrors.get(repository.domain) ?? []), own] : [known, own];
    for (const host of new Set(hosts)) {
      const isLast = host === own;
      try {
        const answer = await this.#ask(repository, host, "pull", { method: "GET", ...ask }, progress);
        if (!isLast && (answer.status < 200 || answer.status > 299)) continue;
        this.#chosen.set(key, host);
        return answer;
      } catch (error) {
        // What a mirror cannot do now, the registry itself may.
        const isMirrors = error instanceof TransportError || error instanceof Failure;
        if (isLast || !isMirrors || ask.sink !== undefined) throw error;
      }
    }
    throw new Error("a registry is its own last mirror");
  }

  /** `claimed` is the digest that the registry says it has, if it does: nothing but a claim. */
  async manifest(reference: Named): Promise<{ text: string; mediaType: string; claimed: string | undefined }> {
    const { domain, path, tag, digest } = reference;
    const answer = await this.#get(reference, {
      path: `manifests/${digest ?? tag ?? "latest"}`,
      headers: [["accept", MANIFEST_TYPES]],
    });
    if (answer.status !== 200) throw failureOf(answer, `image ${domain}/${path}:${tag ?? digest ?? ""}`);
    const mediaType = (answer.headers.get("content-type") ?? "").split(";")[0] ?? "";
    const claimed = answer.headers.get("docker-content-digest");
    return { text: decode(answer.body), mediaType: mediaType.trim(), claimed };
  }

  async blob(
    reference: Named,
    { digest }: { readonly digest: string },
    sink: Sink,
    progress?: (bytes: number) => void,
  ): Promise<void> {
    const range = sink.presentBytes > 0 ? ([["range", `bytes=${sink.presentBytes}-`]] as const) : [];
    const answer = await this.#get(reference, { path: `blobs/${digest}`, headers: range, sink }, progress);
    if (answer.status !== 200 && answer.status !== 206) throw failureOf(answer, `blob ${digest}`);
  }

  async tags(reference: Named): Promise<readonly string[]> {
    const answer = await this.#get(reference, { path: `tags/list?n=${TAGS_LIMIT}`, headers: [] });
    if (answer.status !== 200) throw failureOf(answer, `list of tags of ${reference.path}`);
    return parseTags(decode(answer.body), reference.path);
  }

  /**
   * Brings a blob into a repository, if it is not there.
   * @param from another repository of the same registry that may have it
   */
  async upload(repository: Repository, content: Content, from: string | undefined): Promise<Uploaded> {
    const host = hostOf(repository.domain);
    const { digest } = content;
    const there = await this.#ask(repository, host, "pull,push", {
      method: "HEAD",
      path: `blobs/${digest}`,
      headers: [],
    });
    if (there.status === 200) return "there";
    if (there.status === 401 || there.status === 403) {
      throw new Failure(`${host} does not let you push to ${repository.path}`, {
        hint: `'mycontainer login ${repository.domain}' tells it who you are`,
      });
    }
    const mount = from === undefined ? "" : `?${query({ mount: digest, from })}`;
    const begun = await this.#ask(repository, host, "pull,push", {
      method: "POST",
      path: `blobs/uploads/${mount}`,
      headers: [],
    });
    if (begun.status === 201 && from !== undefined) return "mounted";
    const location = this.#session.locationOf(host, begun);
    if (begun.status !== 202 || location === undefined) {
      throw failureOf(begun, `a place for ${digest} in ${repository.path}`);
    }
    const answer = await this.#ask(repository, host, "pull,push", {
      method: "PUT",
      path: `${location}${location.includes("?") ? "&" : "?"}${query({ digest })}`,
      headers: [["content-type", OCTETS]],
      body: { kind: "file", handle: content.handle, offset: 0, sizeBytes: content.sizeBytes },
    });
    if (answer.status !== 201) throw failureOf(answer, `room for ${digest} in ${repository.path}`);
    return "sent";
  }

  /** Gives a manifest its tag, or puts it there under its digest alone. Throws a Failure if the registry has made something else of it. */
  async putManifest(reference: Named, content: Content, mediaType: string): Promise<void> {
    const { domain, path, tag } = reference;
    const answer = await this.#ask(reference, hostOf(domain), "pull,push", {
      method: "PUT",
      path: `manifests/${tag ?? content.digest}`,
      headers: [["content-type", mediaType]],
      body: { kind: "file", handle: content.handle, offset: 0, sizeBytes: content.sizeBytes },
    });
    if (answer.status !== 201) throw failureOf(answer, `a place for the manifest of ${path}:${tag ?? content.digest}`);
    const stored = answer.headers.get("docker-content-digest");
    if (stored !== undefined && stored !== content.digest) {
      throw new Failure(`the registry has stored ${stored.slice(0, MESSAGE_LIMIT)} in place of ${content.digest}`, {
        hint: "the registry is damaged, or somebody stands between it and this machine",
      });
    }
  }
}
