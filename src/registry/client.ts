/**
 * The client of a registry: manifests, blobs and tags (distribution-spec, "pull").
 */
import { Failure } from "../failure.ts";
import { decode, environ } from "../linux/door.ts";
import { authorize, type Way } from "./authorization.ts";
import { parseChallenges } from "./challenge.ts";
import { findCredentials } from "./credentials.ts";
import { type Answer, type Exchange, type Sink, type Transport, TransportError } from "./exchange.ts";
import { proxyFor } from "./proxy.ts";

const MANIFEST_TYPES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");
const REDIRECT_LIMIT = 5;
const TAGS_LIMIT = 10_000;

/** Of an image: src/image/reference.ts. */
export interface Named {
  readonly domain: string;
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const hostOf = (domain: string): string => (domain === "docker.io" ? "registry-1.docker.io" : domain);
const isLocal = (host: string): boolean => /^(?:localhost|127\.[0-9.]+|\[::1\])(?::|$)/.test(host);

function failureOf(status: number, what: string): Failure {
  if (status === 404) return new Failure(`there is no ${what}`);
  if (status === 401 || status === 403) {
    return new Failure(`no access to ${what}`, {
      hint: "does it exist? a private one needs 'docker login' or 'podman login', whose files are read (but no helpers asked)",
    });
  }
  if (status === 429) return new Failure(`the registry refuses ${what}: too many requests`, { hint: "try it later" });
  return new Failure(`the registry answers ${status} when asked for ${what}`);
}

type Repository = Pick<Named, "domain" | "path">;

/** `scheme://host[:port]` of a URL. */
const originOf = (url: string): string => /^https?:\/\/[^/?#]+/.exec(url)?.[0] ?? "";

export class Registry {
  readonly #transport: Transport;
  /** Values of `Authorization`, by host and repository. */
  readonly #granted = new Map<string, string>();
  readonly #schemes = new Map<string, "http" | "https">();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async manifest(reference: Named): Promise<{ text: string; mediaType: string }> {
    const { domain, path, tag, digest } = reference;
    const answer = await this.#get(reference, `manifests/${digest ?? tag ?? "latest"}`, {
      headers: [["accept", MANIFEST_TYPES]],
    });
    if (answer.status !== 200) throw failureOf(answer.status, `image ${domain}/${path}:${tag ?? digest ?? ""}`);
    const mediaType = (answer.headers.get("content-type") ?? "").split(";")[0] ?? "";
    return { text: decode(answer.body), mediaType: mediaType.trim() };
  }

  async blob(
    reference: Named,
    { digest }: { readonly digest: string },
    sink: Sink,
    progress?: (bytes: number) => void,
  ): Promise<void> {
    const range = sink.presentBytes > 0 ? ([["range", `bytes=${sink.presentBytes}-`]] as const) : [];
    const answer = await this.#get(reference, `blobs/${digest}`, { headers: range, sink }, progress);
    if (answer.status !== 200 && answer.status !== 206) throw failureOf(answer.status, `blob ${digest}`);
  }

  async tags(reference: Named): Promise<readonly string[]> {
    const answer = await this.#get(reference, `tags/list?n=${TAGS_LIMIT}`, { headers: [] });
    if (answer.status !== 200) throw failureOf(answer.status, `list of tags of ${reference.path}`);
    const list: unknown = JSON.parse(decode(answer.body));
    const tags = typeof list === "object" && list !== null && "tags" in list ? list.tags : [];
    return Array.isArray(tags) ? tags.filter((tag): tag is string => typeof tag === "string") : [];
  }

  readonly #way: Way = (url) => {
    const proxy = proxyFor(url, environ);
    return { trust: { verify: true, authorities: [] }, ...(proxy === undefined ? {} : { proxy }) };
  };

  /** What answers a registry's refusal, as the value of `Authorization`. */
  #authorize({ domain, path }: Repository, { headers }: Answer, isPlain: boolean): Promise<string | undefined> {
    return authorize(
      this.#transport,
      this.#way,
      parseChallenges(headers.get("www-authenticate") ?? ""),
      `repository:${path}:pull`,
      findCredentials(domain, environ),
      isPlain,
    );
  }

  /** Follows redirects. Where they lead to another host, nothing goes along that tells who asks. */
  async #get(
    repository: Repository,
    what: string,
    extra: Pick<Exchange, "headers"> & { readonly sink?: Sink },
    progress?: (bytes: number) => void,
  ): Promise<Answer> {
    const host = hostOf(repository.domain);
    const key = `${host}/${repository.path}`;
    const scheme = this.#schemes.get(host) ?? "https";
    const origin = `${scheme}://${host}`;
    try {
      let url = `${origin}/v2/${repository.path}/${what}`;
      let wasRefused = false;
      for (let redirects = 0; redirects <= REDIRECT_LIMIT; ) {
        const isOwn = originOf(url) === origin;
        const granted = isOwn ? this.#granted.get(key) : undefined;
        const headers = [...extra.headers, ...(granted === undefined ? [] : [["authorization", granted] as const])];
        const answer = await this.#transport({ method: "GET", url, ...extra, ...this.#way(url), headers }, progress);
        this.#schemes.set(host, scheme);
        if (answer.status === 401 && isOwn && !wasRefused) {
          wasRefused = true;
          const next = await this.#authorize(repository, answer, scheme === "http");
          // Compared with what came with this exchange: another one may have been granted the same meanwhile.
          if (next !== undefined && next !== granted) {
            this.#granted.set(key, next);
            continue;
          }
        }
        const location = answer.headers.get("location");
        if (answer.status < 300 || answer.status > 399 || location === undefined) return answer;
        url = location.startsWith("/") ? `${origin}${location}` : location;
        redirects++;
      }
    } catch (error) {
      const isPlain = error instanceof TransportError && (error.code === "EPROTO" || error.trouble === "cut");
      if (!isPlain || !isLocal(host) || this.#schemes.has(host)) throw error;
      this.#schemes.set(host, "http");
      return this.#get(repository, what, extra, progress);
    }
    throw new Failure(`${host} redirects again and again`);
  }
}
