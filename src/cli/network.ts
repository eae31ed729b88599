/**
 * `mycontainer network ls|inspect`.
 */
import { type StateRoot, stateRoot } from "../container/paths.ts";
import { allStates } from "../container/usage.ts";
import { Failure } from "../failure.ts";
import { formatAddress } from "../network/address.ts";
import { leasesOf, listNetworks, type NetworkRecord } from "../network/leases.ts";
import { DEFAULT_NETWORK } from "../network/plan.ts";
import { list, parseFlags, text, toggle } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { type FilterKinds, filterNames, parseFilters } from "./filters.ts";
import { inspectionsIn } from "./inspections.ts";
import { FORMAT_FLAG, parseFormat, printListing } from "./listing.ts";
import { requireRoot } from "./root.ts";

interface Network {
  readonly Name: string;
  /** What it is called in other commands: docker's are numbers, ours are names. */
  readonly ID: string;
  readonly Driver: "bridge" | "host" | "null";
  readonly Scope: "local";
  readonly record: NetworkRecord | undefined;
}

const FILTERS: FilterKinds<Network> = {
  name: { test: (value) => (network) => network.Name.includes(value) },
  id: { test: (value) => (network) => network.ID.startsWith(value) },
  driver: { test: (value) => (network) => network.Driver === value },
};
const LIST_FLAGS = {
  filter: list("f", "NAME=VALUE", `Only those with ${filterNames(FILTERS)}`),
  format: text(...FORMAT_FLAG),
  "no-trunc": toggle("", "Taken for the sake of scripts; nothing is cut"),
  quiet: toggle("q", "Show names only"),
} as const;
const INSPECT_FLAGS = { format: text("f", "json|TEMPLATE", "How they are shown; templates are Go's") } as const;

/** All that `--network` takes by name. */
function networksOf(root: StateRoot): Network[] {
  const named = (name: string, Driver: Network["Driver"], record?: NetworkRecord): Network => {
    return { Name: name, ID: name, Driver, Scope: "local", record };
  };
  const records = listNetworks(root.networks);
  // The one that there is always, also before its first container.
  const first = records.find(({ network }) => network === DEFAULT_NETWORK.network) ?? DEFAULT_NETWORK;
  const others = records.filter(({ network }) => network !== DEFAULT_NETWORK.network);
  return [
    named("bridge", "bridge", first),
    ...others.map((record) => named(record.network, "bridge", record)),
    named("host", "host"),
    named("none", "null"),
  ];
}

export function runList(argv: readonly string[]): number {
  if (isHelp(argv, LIST_FLAGS)) return printHelp("network ls", "[FLAGS]", "Lists networks.", LIST_FLAGS);
  const { flags, rest } = parseFlags("network ls", LIST_FLAGS, argv);
  if (rest.length > 0) throw new Failure(`'network ls' takes no arguments, and got '${rest[0]}'`);
  const format = parseFormat(flags.format);
  const isMeant = parseFilters(FILTERS, flags.filter);
  requireRoot();
  const rows = networksOf(stateRoot())
    .filter(isMeant)
    .map(({ record, ...row }) => ({ ...row, Subnet: record?.subnet ?? "", Bridge: record?.bridge ?? "" }));
  if (flags.quiet === true) for (const { ID } of rows) line(ID);
  else {
    const columns = ["Name", "Driver", "Scope", "Subnet", "Bridge"] as const;
    printListing(format, { titles: { ID: "NETWORK ID" }, columns, rows });
  }
  return 0;
}

export function runInspect(argv: readonly string[]): number {
  if (isHelp(argv, INSPECT_FLAGS)) {
    return printHelp("network inspect", "[FLAGS] NETWORK...", "Shows all about networks, as JSON.", INSPECT_FLAGS);
  }
  const { flags, rest } = parseFlags("network inspect", INSPECT_FLAGS, argv);
  if (rest.length === 0) throw new Failure("'network inspect' needs a network");
  const show = inspectionsIn(flags.format);
  requireRoot();
  const root = stateRoot();
  const all = networksOf(root);
  return show(rest, (name) => {
    const wanted = name === "default" ? "bridge" : name;
    const network = all.find(({ Name }) => Name === wanted);
    if (network !== undefined) return inspection(root, network);
    throw new Failure(`no network '${name}' here`, { hint: "'mycontainer network ls' lists those that there are" });
  });
}

/** In the form that docker's has. */
function inspection(root: StateRoot, { Name, ID, Driver, Scope, record }: Network): unknown {
  const names = new Map(allStates(root).map(({ id, name }) => [id, name]));
  const prefix = record?.subnet.split("/")[1] ?? "";
  const leases = record === undefined ? [] : leasesOf(root.networks, record.network);
  const config = record === undefined ? [] : [{ Subnet: record.subnet, Gateway: record.gateway }];
  return {
    Name,
    Id: ID,
    Scope,
    Driver,
    EnableIPv6: false,
    IPAM: { Driver: "default", Config: config },
    Internal: false,
    Containers: Object.fromEntries(
      leases.map(({ container, address }) => [
        container,
        { Name: names.get(container) ?? container, IPv4Address: `${formatAddress(address)}/${prefix}` },
      ]),
    ),
    Options: record === undefined ? {} : { "com.docker.network.bridge.name": record.bridge },
    Labels: {},
  };
}
