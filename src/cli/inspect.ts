/**
 * `mycontainer inspect`.
 */
import { currentState } from "../container/control.ts";
import { readHealth } from "../container/health-file.ts";
import { containerPaths, type StateRoot, stateRoot } from "../container/paths.ts";
import { isPaused } from "../container/pause.ts";
import { findContainer } from "../container/state.ts";
import { Failure } from "../failure.ts";
import { inspectImage } from "../image/inspect.ts";
import { readTextIfThere } from "../linux/hostpath.ts";
import { type Address, formatAddress } from "../network/address.ts";
import { addressOf, listNetworks } from "../network/leases.ts";
import type { Spec } from "../spec/config.ts";
import { parseExact } from "../spec/json.ts";
import { parseFlags, text } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { type Expand, readAliases } from "./aliases.ts";
import { networkOf } from "./container-rows.ts";
import { containerFields, imageFields } from "./docker-fields.ts";
import { inspectionsIn } from "./inspections.ts";
import { requireRoot } from "./root.ts";

const FLAGS = {
  format: text("f", "json|TEMPLATE", "How they are shown; templates are Go's, as in '{{.State.Status}}'"),
  type: text("", "container|image", "Only what is of this type"),
} as const;

export async function run(argv: readonly string[]): Promise<number> {
  if (isHelp(argv, FLAGS))
    return printHelp("inspect", "[FLAGS] NAME...", "Shows all about containers and images, as JSON.", FLAGS);
  const { flags, rest } = parseFlags("inspect", FLAGS, argv);
  if (rest.length === 0) throw new Failure("'inspect' needs a container or an image");
  const show = inspectionsIn(flags.format);
  requireRoot();
  const root = stateRoot();
  const expand = await readAliases();
  return show(rest, (name) => inspectOne(root, name, flags.type, expand));
}

function inspectOne(root: StateRoot, name: string, type: string | undefined, expand: Expand): unknown {
  if (type !== undefined && type !== "container" && type !== "image") {
    throw new Failure(`unknown type '${type}'`, { hint: "use container or image" });
  }
  if (type === "image") return inspectImageOf(root, expand(name));
  try {
    return inspectContainer(root, findContainer(root, name));
  } catch (error) {
    if (type === "container" || !(error instanceof Failure)) throw error;
    try {
      return inspectImageOf(root, expand(name));
    } catch {
      throw new Failure(`no container and no image '${name}' here`, {
        hint: "'mycontainer ps -a' and 'mycontainer images' list those that there are",
      });
    }
  }
}

function inspectImageOf(root: StateRoot, name: string): unknown {
  const image = inspectImage(root.images, name);
  return { ...image, ...imageFields(image) };
}

function inspectContainer(root: StateRoot, id: string): unknown {
  const state = currentState(root, id);
  const paths = containerPaths(root, id);
  const config = readTextIfThere(paths.config);
  // Ours, written by `run`.
  const spec = config === undefined ? undefined : (parseExact(config) as Spec);
  const address = state.hasNetwork ? addressIn(root.networks, id) : undefined;
  const facts = {
    health: readHealth(root, id),
    spec,
    network: networkOf(root, state),
    address: address === undefined ? "" : formatAddress(address),
    volumes: root.volumes,
  };
  const status = isPaused(state) ? "paused" : state.status;
  return { ...state, status, ...containerFields(state, facts), paths, config: spec ?? null };
}

/** The address that a container has in one of the networks. */
function addressIn(networks: string, id: string): Address | undefined {
  for (const { network } of listNetworks(networks)) {
    const address = addressOf(networks, network, id);
    if (address !== undefined) return address;
  }
  return undefined;
}
