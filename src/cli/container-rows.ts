/**
 * Containers as `ps` lists them, and what its filters mean.
 */
import { type Health, healthPlanOf } from "../container/health.ts";
import { readHealth } from "../container/health-file.ts";
import { containerPaths, type StateRoot } from "../container/paths.ts";
import { shownStatus } from "../container/pause.ts";
import { mountSourcesOf } from "../container/prune.ts";
import { type ContainerState, findContainer } from "../container/state.ts";
import { volumesInUse } from "../container/usage.ts";
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import { readText } from "../linux/hostpath.ts";
import { parseConfig } from "../spec/parse-config.ts";
import { formatAge } from "../term/format.ts";
import type { Expand } from "./aliases.ts";
import { type FilterKinds, labelTest } from "./filters.ts";

const COMMAND_LIMIT = 30;

export const CONTAINER_TITLES = {
  ID: "CONTAINER ID",
  RunningFor: "CREATED",
  CreatedAt: "CREATED AT",
} as const;

/** A container as it is listed. What takes a look at its files is looked up where it is asked for. */
export function containerRow(root: StateRoot, state: ContainerState, now: number, isWhole: boolean) {
  return {
    ID: state.id,
    Image: state.image,
    Command: commandText(state.command, isWhole),
    CreatedAt: new Date(state.createdMs).toISOString(),
    RunningFor: `${formatAge(now - state.createdMs)} ago`,
    State: shownStatus(state),
    Status: statusText(state, now, healthOf(root, state)),
    Ports: portsText(state),
    Names: state.name,
    Labels: Object.entries(state.labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(","),
    Label: (name: string) => (Object.hasOwn(state.labels, name) ? state.labels[name] : ""),
    get Mounts() {
      return mountsOf(root, state).join(",");
    },
    get Networks() {
      return networkOf(root, state);
    },
  };
}

/** What its checks have found; undefined for one that is not checked. */
function healthOf(root: StateRoot, { id, healthcheck, status }: ContainerState): Health["status"] | undefined {
  const isChecked = status === "running" && healthPlanOf(healthcheck) !== undefined;
  return isChecked ? (readHealth(root, id)?.status ?? "starting") : undefined;
}

function statusText(state: ContainerState, now: number, health: Health["status"] | undefined): string {
  const status = shownStatus(state);
  if (status === "created") return "Created";
  if (state.exit === undefined) {
    const told = status === "paused" ? "Paused" : health === "starting" ? "health: starting" : health;
    return `Up ${formatAge(now - (state.startedMs ?? now))}${told === undefined ? "" : ` (${told})`}`;
  }
  const reason = state.exit.outOfMemory ? ", out of memory" : "";
  return `Exited (${state.exit.code}${reason}) ${formatAge(now - state.exit.finishedMs)} ago`;
}

function commandText(command: readonly string[], isWhole: boolean): string {
  // Control characters would be the terminal's to obey.
  const whole = command.join(" ").replaceAll(/\p{Cc}/gu, " ");
  return `"${isWhole || whole.length <= COMMAND_LIMIT ? whole : `${whole.slice(0, COMMAND_LIMIT - 1)}…`}"`;
}

/** `0.0.0.0:8080->80/tcp, 443/tcp`: what is published, then what is only exposed. A container that has ended has none. */
export function portsText({ status, ports = [], exposed = [] }: ContainerState): string {
  if (status !== "running") return "";
  const inside = new Set(ports.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`));
  return [
    ...ports.map(
      ({ hostAddress, hostPort, containerPort, protocol }) =>
        `${hostAddress}:${hostPort}->${containerPort}/${protocol}`,
    ),
    ...exposed.filter((port) => !inside.has(port)),
  ].join(", ");
}

/** Names of its volumes, and paths of the host. */
function mountsOf(root: StateRoot, state: ContainerState): string[] {
  const own = `${containerPaths(root, state.id).directory}/`;
  return mountSourcesOf(root, [state]).flatMap((source) => {
    if (!source.startsWith("/") || source.startsWith(own)) return [];
    return [...volumesInUse(root, [source]), ...(source.startsWith(`${root.volumes}/`) ? [] : [source])];
  });
}

/** As it was asked for with --network. */
export function networkOf(root: StateRoot, { id, hasNetwork }: ContainerState): string {
  if (hasNetwork) return "bridge";
  try {
    const { namespaces = [] } = parseConfig(readText(containerPaths(root, id).config)).linux ?? {};
    const network = namespaces.find(({ type }) => type === "network");
    if (network === undefined) return "host";
    return network.path === undefined ? "none" : "container";
  } catch (error) {
    if (isErrno(error, "ENOENT")) return "none";
    throw error;
  }
}

const STATUSES = ["created", "running", "paused", "exited"];
const HEALTHS = ["starting", "healthy", "unhealthy", "none"];

function oneOf(value: string, filter: string, known: readonly string[]): string {
  if (known.includes(value)) return value;
  throw new Failure(`there is no ${filter} '${value}'`, { hint: `there are ${known.join(", ")}` });
}

/** docker's filters. Containers that a filter names are looked up among `states`. */
export function containerFilters(
  root: StateRoot,
  states: readonly ContainerState[],
  expand: Expand,
): FilterKinds<ContainerState> {
  const createdOf = (name: string): number => {
    const id = findContainer(root, name);
    return states.find((state) => state.id === id)?.createdMs ?? 0;
  };
  const port = (value: string) => (value.includes("/") ? value : `${value}/tcp`);
  return {
    id: { test: (value) => (state) => state.id.startsWith(value) },
    name: { test: (value) => (state) => state.name.includes(value) },
    status: {
      test: (value) => {
        const wanted = oneOf(value, "status", STATUSES);
        return (state) => shownStatus(state) === wanted;
      },
    },
    health: {
      test: (value) => {
        const wanted = oneOf(value, "health", HEALTHS);
        return (state) => (healthOf(root, state) ?? "none") === wanted;
      },
    },
    exited: { test: (value) => (state) => state.exit !== undefined && String(state.exit.code) === value },
    ancestor: {
      test: (value) => (state) => state.image === expand(value) || state.imageDigest.startsWith(value),
    },
    label: {
      all: true,
      test: (value) => {
        const test = labelTest(value);
        return ({ labels }) => test(labels);
      },
    },
    before: {
      test: (value) => {
        const then = createdOf(value);
        return ({ createdMs }) => createdMs < then;
      },
    },
    since: {
      test: (value) => {
        const then = createdOf(value);
        return ({ createdMs }) => createdMs > then;
      },
    },
    volume: { test: (value) => (state) => mountsOf(root, state).includes(value) },
    network: { test: (value) => (state) => networkOf(root, state) === value },
    publish: {
      test: (value) => (state) =>
        (state.ports ?? []).some(({ containerPort, protocol }) => `${containerPort}/${protocol}` === port(value)),
    },
    expose: {
      test: (value) => (state) => (state.exposed ?? []).includes(port(value)),
    },
  };
}
