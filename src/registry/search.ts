/**
 * Finding images: docker.io's way of searching, which a few registries have as well, and the list of all repositories that others
 * give (distribution-spec has neither).
 */
import { Failure } from "../failure.ts";
import { decode } from "../linux/door.ts";
import { isObject } from "../spec/json.ts";
import { failureOf } from "./client.ts";
import type { Answer } from "./exchange.ts";
import type { Session } from "./session.ts";

export interface Found {
  /** Without the domain. */
  readonly name: string;
  /** One line; "" where the registry knows none, as all that is below. */
  readonly description: string;
  readonly stars: number;
  readonly isOfficial: boolean;
  readonly isAutomated: boolean;
}

/** docker.io is searched at another host than it is pulled from. */
const SEARCH_HOSTS: Readonly<Record<string, string>> = { "docker.io": "index.docker.io" };
const PAGE_NAMES = 1000;
/** A list of more pages than this is not read to its end. */
const PAGES_LIMIT = 100;
const NAME = /^[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$/;
const NAME_LIMIT = 255;
const DESCRIPTION_LIMIT = 1000;

const isName = (name: unknown): name is string =>
  typeof name === "string" && name.length <= NAME_LIMIT && NAME.test(name);

function parsed({ body }: Answer): unknown {
  try {
    return JSON.parse(decode(body));
  } catch {
    return undefined;
  }
}

function lineOf(text: unknown): string {
  if (typeof text !== "string") return "";
  return text
    .slice(0, DESCRIPTION_LIMIT)
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, " ")
    .trim();
}

/** What an answer to a search has; undefined if it is none. Names that are none are passed over. Pure. */
export function foundIn(document: unknown): Found[] | undefined {
  const results = isObject(document) ? document["results"] : undefined;
  if (!Array.isArray(results)) return undefined;
  return results.filter(isObject).flatMap((result) => {
    const { name, description, star_count: stars, is_official: isOfficial, is_automated: isAutomated } = result;
    if (!isName(name)) return [];
    return [
      {
        name,
        description: lineOf(description),
        stars: typeof stars === "number" && Number.isSafeInteger(stars) ? stars : 0,
        isOfficial: isOfficial === true,
        isAutomated: isAutomated === true,
      },
    ];
  });
}

/** The names of a page of the list of all repositories; undefined if it is none. Pure. */
export function namesIn(document: unknown): string[] | undefined {
  const names = isObject(document) ? document["repositories"] : undefined;
  if (!Array.isArray(names)) return undefined;
  return names.filter(isName);
}

/** Images of a registry whose names (where it searches itself: or descriptions) have the term, at most `limit`. */
export async function searchRegistry(session: Session, domain: string, term: string, limit: number): Promise<Found[]> {
  const host = SEARCH_HOSTS[domain] ?? domain;
  const path = `/v1/search?q=${encodeURIComponent(term)}&n=${limit}`;
  const answer = await session.ask({ method: "GET", host, domain, path, scope: undefined, headers: [] });
  const found = answer.status === 200 ? foundIn(parsed(answer)) : undefined;
  if (found !== undefined) return found.slice(0, limit);
  if (Object.hasOwn(SEARCH_HOSTS, domain)) throw failureOf(answer, `search of ${domain}`);
  return searchList(session, domain, term, limit);
}

/** Looks through the list of all repositories. */
async function searchList(session: Session, domain: string, term: string, limit: number): Promise<Found[]> {
  const found: Found[] = [];
  let last = "";
  for (let page = 0; page < PAGES_LIMIT; page++) {
    const after = last === "" ? "" : `&last=${encodeURIComponent(last)}`;
    const path = `_catalog?n=${PAGE_NAMES}${after}`;
    const scope = "registry:catalog:*";
    const answer = await session.ask({ method: "GET", host: domain, domain, path, scope, headers: [] });
    if (answer.status === 401 || answer.status === 403) throw failureOf(answer, `list of the images of ${domain}`);
    const names = answer.status === 200 ? namesIn(parsed(answer)) : undefined;
    if (names === undefined) {
      throw new Failure(`${domain} can neither be searched, nor does it list its images`, {
        hint: "its web pages may tell which there are",
      });
    }
    for (const name of names) {
      if (!name.includes(term)) continue;
      found.push({ name, description: "", stars: 0, isOfficial: false, isAutomated: false });
      if (found.length === limit) return found;
    }
    const end = names.at(-1);
    // The way to the next page is ours to say: what it leads to is not taken from an answer.
    if (!answer.headers.has("link") || end === undefined || end <= last) return found;
    last = end;
  }
  return found;
}
