/**
 * `mycontainer search`.
 */
import { Failure } from "../failure.ts";
import { type Found, searchRegistry } from "../registry/search.ts";
import { Session } from "../registry/session.ts";
import { list, parseFlags, text, toggle } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { type FilterKinds, filterNames, parseFilters, truthOf } from "./filters.ts";
import { FORMAT_FLAG, parseFormat, printListing } from "./listing.ts";
import { DEFAULT_SERVER, serverOf } from "./login.ts";
import { requireRoot } from "./root.ts";
import { parseWhole } from "./values.ts";
import { withRegistry } from "./with-registry.ts";

const FILTERS: FilterKinds<Found> = {
  stars: {
    test: (value) => {
      const least = parseWhole(value, "number of stars", 0, Number.MAX_SAFE_INTEGER);
      return ({ stars }) => stars >= least;
    },
  },
  "is-official": {
    test: (value) => {
      const isWanted = truthOf(value, "is-official");
      return ({ isOfficial }) => isOfficial === isWanted;
    },
  },
  "is-automated": {
    test: (value) => {
      const isWanted = truthOf(value, "is-automated");
      return ({ isAutomated }) => isAutomated === isWanted;
    },
  },
};
const FLAGS = {
  filter: list("f", "NAME=VALUE", `Only those with ${filterNames(FILTERS)}`),
  format: text(...FORMAT_FLAG),
  limit: text("", "NUMBER", "At most so many, up to 100 (25)"),
  "no-trunc": toggle("", "Do not cut descriptions"),
} as const;

const LIMIT = 25;
const MOST = 100;
const DESCRIPTION_WIDTH = 45;

/** Which registry is searched for what: `quay.example/app` -> that registry, for `app`. Throws a Failure. Pure. */
export function searchOf(term: string): { domain: string; words: string } {
  const slash = term.indexOf("/");
  const first = slash < 0 ? "" : term.slice(0, slash);
  const isDomain = first === "localhost" || first.includes(".") || first.includes(":");
  const words = (isDomain ? term.slice(slash + 1) : term).toLowerCase();
  if (words === "" || words.length > 255) {
    throw new Failure(`'${term}' says nothing to search for`, { hint: "as in: mycontainer search alpine" });
  }
  return { domain: isDomain ? serverOf(first) : DEFAULT_SERVER, words };
}

export async function run(argv: readonly string[]): Promise<number> {
  if (isHelp(argv, FLAGS)) {
    return printHelp("search", "[FLAGS] [REGISTRY/]TERM", "Searches a registry, docker.io if none is named.", FLAGS);
  }
  const { flags, rest } = parseFlags("search", FLAGS, argv);
  const [term, another] = rest;
  if (term === undefined || another !== undefined) {
    throw new Failure("'search' needs one term", { hint: "as in: mycontainer search alpine" });
  }
  const { domain, words } = searchOf(term);
  const format = parseFormat(flags.format);
  const limit = flags.limit === undefined ? LIMIT : parseWhole(flags.limit, "number of images", 1, MOST);
  const isMeant = parseFilters(FILTERS, flags.filter);
  requireRoot();
  const found = await withRegistry(`search ${domain}`, ({ around }) =>
    searchRegistry(new Session(around), domain, words, limit),
  );
  const prefix = domain === DEFAULT_SERVER ? "" : `${domain}/`;
  const rows = found.filter(isMeant).map(({ name, description, stars, isOfficial, isAutomated }) => ({
    Name: `${prefix}${name}`,
    Description:
      flags["no-trunc"] === true || description.length <= DESCRIPTION_WIDTH
        ? description
        : `${description.slice(0, DESCRIPTION_WIDTH - 1)}…`,
    StarCount: String(stars),
    IsOfficial: isOfficial ? "[OK]" : "",
    IsAutomated: isAutomated ? "[OK]" : "",
  }));
  const titles = { StarCount: "STARS", IsOfficial: "OFFICIAL", IsAutomated: "AUTOMATED" };
  printListing(format, { titles, columns: ["Name", "Description", "StarCount", "IsOfficial"], rows });
  return 0;
}
