/**
 * Exchanges with registries as their clients make them: who asks is told where that is wanted, redirects are followed, and what
 * fails for a while is tried again. Credentials go to the registry itself and to nobody else.
 */
import { Failure } from "../failure.ts";
import { wallClockMs } from "../linux/clock.ts";
import { environ } from "../linux/door.ts";
import { authorize, type Way } from "./authorization.ts";
import { parseChallenges } from "./challenge.ts";
import type { Credentials } from "./credentials.ts";
import { type Answer, type Exchange, type Transport, TransportError, type Trust } from "./exchange.ts";
import { hostOfUrl, isPlain, locationFrom, originOf } from "./location.ts";
import { proxyFor } from "./proxy.ts";
import { pauseAfter } from "./retry.ts";
import { type RegistrySettings, readTrust } from "./settings.ts";

const REDIRECT_LIMIT = 5;

/** What is asked of a registry. */
export interface Ask extends Pick<Exchange, "method" | "headers" | "body" | "sink"> {
  /** `registry.example:5000`. */
  readonly host: string;
  /** The domain that credentials are filed under: docker.io is asked at another host. */
  readonly domain: string;
  /** Below `/v2/`, or with a `/` in front below nothing; or absolute, as the registry has given it. */
  readonly path: string;
  /** What the token has to allow, as in `repository:NAME:pull`; undefined for none. */
  readonly scope: string | undefined;
}

/** What a session needs of its surroundings. */
export interface Surroundings {
  readonly transport: Transport;
  readonly settings: RegistrySettings;
  readonly credentials: (domain: string) => Promise<Credentials | undefined>;
  readonly after: (delayMs: number) => Promise<void>;
}

const isLocal = (host: string): boolean => /^(?:localhost|127\.[0-9.]+|\[::1\])(?::|$)/.test(host);

export class Session {
  readonly #around: Surroundings;
  /** Values of `Authorization`, by host and scope. */
  readonly #granted = new Map<string, string>();
  readonly #schemes = new Map<string, "http" | "https">();
  readonly #trusts = new Map<string, Trust>();

  constructor(around: Surroundings) {
    this.#around = around;
  }

  /** Whether a host may be asked without TLS. */
  readonly #mayBePlain = (host: string): boolean => isLocal(host) || this.#around.settings.insecure.includes(host);

  readonly #way: Way = (url) => {
    const host = hostOfUrl(url);
    const trust = this.#trusts.get(host) ?? readTrust(host, this.#around.settings, environ);
    this.#trusts.set(host, trust);
    const proxy = proxyFor(url, environ);
    return { trust, ...(proxy === undefined ? {} : { proxy }) };
  };

  /** The last answer that there is; a TransportError if there is none. */
  async ask(ask: Ask, progress?: (bytes: number) => void): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      const outcome = await this.#try(ask, progress);
      // Who has a sink knows better what has come, and how to go on.
      const isOwn = ask.sink !== undefined && outcome instanceof TransportError;
      const pauseMs = isOwn ? undefined : pauseAfter(outcome, tries, wallClockMs());
      if (pauseMs === undefined) {
        if (outcome instanceof TransportError) throw outcome;
        return outcome;
      }
      await this.#around.after(pauseMs);
    }
  }

  async #try(ask: Ask, progress?: (bytes: number) => void): Promise<Answer | TransportError> {
    // Others that ask the same host at the same time may find it out first.
    const known = this.#schemes.get(ask.host);
    try {
      return await this.#follow(ask, progress);
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      const hasNoTls = error.code === "EPROTO" || error.trouble === "cut";
      const isSettled = known !== undefined || this.#schemes.get(ask.host) === "https";
      if (!hasNoTls || !this.#mayBePlain(ask.host) || isSettled) return error;
      this.#schemes.set(ask.host, "http");
      return this.#try(ask, progress);
    }
  }

  /** Follows redirects. Where they lead to another host, nothing goes along that tells who asks. */
  async #follow({ host, domain, path, scope, ...exchange }: Ask, progress?: (bytes: number) => void): Promise<Answer> {
    const key = `${host} ${scope ?? ""}`;
    const scheme = this.#schemes.get(host) ?? "https";
    const origin = `${scheme}://${host}`;
    let url = path.startsWith("/") ? `${origin}${path}` : `${origin}/v2/${path}`;
    if (originOf(path) !== "") url = this.#onwards(path, url, exchange);
    let wasRefused = false;
    for (let redirects = 0; redirects <= REDIRECT_LIMIT; ) {
      const isOwn = originOf(url) === origin;
      const granted = isOwn ? this.#granted.get(key) : undefined;
      const headers = [...exchange.headers, ...(granted === undefined ? [] : [["authorization", granted] as const])];
      const answer = await this.#around.transport({ ...exchange, url, ...this.#way(url), headers }, progress);
      this.#schemes.set(host, scheme);
      if (answer.status === 401 && isOwn && !wasRefused) {
        wasRefused = true;
        const next = await this.#authorize(domain, scope, answer, scheme === "http");
        // Compared with what came with this exchange: another one may have been granted the same meanwhile.
        if (next !== undefined && next !== granted) {
          this.#granted.set(key, next);
          continue;
        }
      }
      const location = answer.headers.get("location");
      if (answer.status < 300 || answer.status > 399 || location === undefined) return answer;
      url = this.#onwards(locationFrom(location, url), url, exchange);
      redirects++;
    }
    throw new Failure(`${host} redirects again and again`);
  }

  /** Where to go on from one URL to another. Throws a Failure where TLS would be given up for what it had guarded. */
  #onwards(to: string, from: string, { body }: Pick<Exchange, "body">): string {
    if (!isPlain(to) || isPlain(from)) return to;
    if (body !== undefined) {
      throw new Failure(`${hostOfUrl(from)} wants what is uploaded to go on without TLS`, { hint: "that is refused" });
    }
    if (this.#mayBePlain(hostOfUrl(to))) return to;
    throw new Failure(`${hostOfUrl(from)} sends on to ${hostOfUrl(to)} without TLS`, {
      hint: `if that is right, put "${hostOfUrl(to)}" on the list registries.insecure of config.toml`,
    });
  }

  /** What answers a registry's refusal, as the value of `Authorization`. */
  async #authorize(
    domain: string,
    scope: string | undefined,
    { headers }: Answer,
    isPlain: boolean,
  ): Promise<string | undefined> {
    return authorize(
      this.#around.transport,
      this.#way,
      parseChallenges(headers.get("www-authenticate") ?? ""),
      scope,
      await this.#around.credentials(domain),
      isPlain ? this.#mayBePlain : () => false,
    );
  }

  /** Where an answer sends: absolute. */
  locationOf(host: string, { headers }: Answer): string | undefined {
    const location = headers.get("location");
    return location === undefined
      ? undefined
      : locationFrom(location, `${this.#schemes.get(host) ?? "https"}://${host}/v2/`);
  }
}
