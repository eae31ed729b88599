/**
 * A registry that asks for no credentials (distribution-spec, "pull").
 */
import { Failure } from "../failure.ts";
import { decode } from "../linux/door.ts";
import { type Answer, type Exchange, type Sink, type Transport, TransportError } from "./exchange.ts";

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
  if (status === 401 || status === 403) return new Failure(`no access to ${what}`, { hint: "it may need a login" });
  if (status === 429) return new Failure(`the registry refuses ${what}: too many requests`, { hint: "try it later" });
  return new Failure(`the registry answers ${status} when asked for ${what}`);
}

export class AnonymousRegistry {
  readonly #transport: Transport;
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

  /** Follows redirects; no header but those given is sent, so that nothing can leak. */
  async #get(
    { domain, path }: Named,
    what: string,
    extra: Pick<Exchange, "headers"> & { readonly sink?: Sink },
    progress?: (bytes: number) => void,
  ): Promise<Answer> {
    const host = hostOf(domain);
    const scheme = this.#schemes.get(host) ?? "https";
    const request = { method: "GET", trust: { verify: true, authorities: [] }, ...extra } as const;
    try {
      let url = `${scheme}://${host}/v2/${path}/${what}`;
      for (let redirects = 0; redirects <= REDIRECT_LIMIT; redirects++) {
        const answer = await this.#transport({ ...request, url }, progress);
        this.#schemes.set(host, scheme);
        const location = answer.headers.get("location");
        if (answer.status < 300 || answer.status > 399 || location === undefined) return answer;
        url = location.startsWith("/") ? `${scheme}://${host}${location}` : location;
      }
    } catch (error) {
      const isPlain = error instanceof TransportError && (error.code === "EPROTO" || error.trouble === "cut");
      if (!isPlain || !isLocal(host) || this.#schemes.has(host)) throw error;
      this.#schemes.set(host, "http");
      return this.#get({ domain, path, tag: undefined, digest: undefined }, what, extra, progress);
    }
    throw new Failure(`${host} redirects again and again`);
  }
}
