/**
 * How a registry is told who asks: a token of its authorization server, or user and password (distribution's "Token
 * Authentication Specification"; RFC 6750, RFC 7617).
 */
import { Failure } from "../failure.ts";
import { decode } from "../linux/door.ts";
import { isObject } from "../spec/json.ts";
import type { Challenge } from "./challenge.ts";
import type { Credentials } from "./credentials.ts";
import type { Exchange, Transport } from "./exchange.ts";

/** How an exchange of ours trusts and travels. */
export type Way = (url: string) => Pick<Exchange, "trust" | "proxy">;

const CLIENT = "mycontainer";
const TOKEN_LIMIT = 64 * 1024;
/** What a header may hold, so that no token can begin another one. */
const HEADER_TEXT = /^[\x21-\x7e]+$/;

const query = (pairs: readonly (readonly [string, string])[]): string =>
  pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");

/** An authorization server of those that are asked without TLS. */
const PLAIN_REALM = /^http:\/\/([^/?#@]+)(?:[/?#]|$)/;

/**
 * The exchange that gets a token. Throws a Failure if the server must not be told secrets. Pure.
 * @param mayBePlain whether a host may be asked without TLS
 */
export function tokenRequest(
  { parameters }: Challenge,
  scope: string | undefined,
  credentials: Credentials | undefined,
  mayBePlain: (host: string) => boolean,
): Pick<Exchange, "method" | "url" | "headers" | "body"> {
  const realm = parameters.get("realm") ?? "";
  const plainHost = PLAIN_REALM.exec(realm)?.[1];
  if (!realm.startsWith("https://") && (plainHost === undefined || !mayBePlain(plainHost))) {
    throw new Failure(`the registry sends for a token to '${realm.slice(0, 200)}'`, {
      hint: "only https is safe for that; the registry's configuration is wrong",
    });
  }
  const service = parameters.get("service");
  const needed = parameters.get("scope") ?? scope;
  const asked = [
    ...(service === undefined ? [] : [["service", service] as const]),
    ...(needed === undefined ? [] : [["scope", needed] as const]),
  ];
  if (credentials?.refreshToken !== undefined) {
    const grant = [["grant_type", "refresh_token"] as const, ["client_id", CLIENT] as const];
    const text = query([...grant, ...asked, ["refresh_token", credentials.refreshToken]]);
    return {
      method: "POST",
      url: realm,
      headers: [["content-type", "application/x-www-form-urlencoded"]],
      body: { kind: "text", text },
    };
  }
  const headers = credentials?.basic === undefined ? [] : [["authorization", `Basic ${credentials.basic}`] as const];
  return { method: "GET", url: `${realm}${realm.includes("?") ? "&" : "?"}${query(asked)}`, headers };
}

/** The token in an authorization server's answer; undefined if there is none. Pure. */
export function parseToken(body: string): string | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (!isObject(answer)) return undefined;
  return [answer["token"], answer["access_token"]].find(
    (token): token is string => typeof token === "string" && token.length <= TOKEN_LIMIT && HEADER_TEXT.test(token),
  );
}

/**
 * The value of `Authorization` that answers a registry's challenges; undefined if none can be answered.
 * @param scope what is to be done, as in `repository:NAME:pull`, where the registry does not say it; undefined: nothing but to be known
 * @param mayBePlain whether a host may be told secrets without TLS: as the registry itself, or none
 */
export async function authorize(
  transport: Transport,
  way: Way,
  challenges: readonly Challenge[],
  scope: string | undefined,
  credentials: Credentials | undefined,
  mayBePlain: (host: string) => boolean,
): Promise<string | undefined> {
  const bearer = challenges.find(({ scheme }) => scheme === "bearer");
  if (bearer === undefined) {
    const isBasic = challenges.some(({ scheme }) => scheme === "basic");
    return isBasic && credentials?.basic !== undefined ? `Basic ${credentials.basic}` : undefined;
  }
  const request = tokenRequest(bearer, scope, credentials, mayBePlain);
  const answer = await transport({ ...request, ...way(request.url) });
  if (answer.status === 401 || answer.status === 403) return undefined;
  const token = answer.status === 200 ? parseToken(decode(answer.body)) : undefined;
  if (token === undefined) {
    throw new Failure(`the registry's authorization server gives no token (its answer is ${answer.status})`, {
      hint: "try it later",
    });
  }
  return `Bearer ${token}`;
}
