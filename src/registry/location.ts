/**
 * Where a registry sends its clients (RFC 9110, section 10.2.2; RFC 3986, section 5). Pure.
 */
import { Failure } from "../failure.ts";

/** A scheme at the beginning of a URL: RFC 3986, section 3.1. */
const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):/;
const SHOWN_CHARACTERS = 200;

/** `scheme://host[:port]` of an absolute URL; "" for what is none. */
export const originOf = (url: string): string => /^https?:\/\/[^/?#]+/.exec(url)?.[0] ?? "";
export const hostOfUrl = (url: string): string => originOf(url).replace(/^https?:\/\//, "");
export const isPlain = (url: string): boolean => url.startsWith("http:");

/** A location that was given in the answer to `from`, as an absolute URL of http or https. Throws a Failure for any other. */
export function locationFrom(location: string, from: string): string {
  const scheme = SCHEME.exec(location)?.[1]?.toLowerCase();
  if (scheme === "http" || scheme === "https") return `${scheme}${location.slice(scheme.length)}`;
  if (scheme !== undefined) {
    throw new Failure(`${hostOfUrl(from)} sends on to '${location.slice(0, SHOWN_CHARACTERS)}'`, {
      hint: "a registry may send to http and https alone",
    });
  }
  if (location.startsWith("//")) return `${from.slice(0, from.indexOf(":") + 1)}${location}`;
  if (location.startsWith("/")) return `${originOf(from)}${location}`;
  const path = from.split(/[?#]/, 1)[0] ?? from;
  if (location.startsWith("?")) return `${path}${location}`;
  const end = path.lastIndexOf("/");
  return `${end < originOf(from).length ? `${originOf(from)}/` : path.slice(0, end + 1)}${location}`;
}
