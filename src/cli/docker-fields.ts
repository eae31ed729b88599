/**
 * What `inspect` tells of containers and images under the names that docker's has, beside our own: scripts ask for them. Pure.
 */
import { dockerHealth, type Health } from "../container/health.ts";
import { shownStatus } from "../container/pause.ts";
import type { ContainerState } from "../container/state.ts";
import { familiarName, repositoryOf } from "../image/reference.ts";
import type { Spec } from "../spec/config.ts";

/** docker's time of what has not happened. */
const NEVER = "0001-01-01T00:00:00Z";

const timeOf = (ms: number | undefined): string => (ms === undefined ? NEVER : new Date(ms).toISOString());

export interface ContainerFacts {
  readonly health: Health | undefined;
  /** As config.json has it; undefined if it is not there. */
  readonly spec: Spec | undefined;
  /** `bridge`, `none`, `host` or `container`. */
  readonly network: string;
  /** In that network; "" if it has none now. */
  readonly address: string;
  /** Where volumes are. */
  readonly volumes: string;
}

/** `{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}],"443/tcp":null}` */
function portsOf({ ports = [], exposed = [] }: ContainerState): Record<string, unknown> {
  const found: Record<string, { HostIp: string; HostPort: string }[] | null> = {};
  for (const port of exposed) found[port] = null;
  for (const { containerPort, protocol, hostAddress, hostPort } of ports) {
    const name = `${containerPort}/${protocol}`;
    found[name] = [...(found[name] ?? []), { HostIp: hostAddress, HostPort: String(hostPort) }];
  }
  return found;
}

/** Volumes and directories of the host; not what every container has. */
function mountsOf(spec: Spec | undefined, state: ContainerState, volumes: string): unknown[] {
  return (spec?.mounts ?? []).flatMap(({ type, source = "", destination, options = [] }) => {
    const isOwn = ["/etc/resolv.conf", "/etc/hosts", "/etc/hostname"].includes(destination);
    if (type !== "bind" || (isOwn && source.includes(`/${state.id}/`))) return [];
    const isVolume = source.startsWith(`${volumes}/`);
    const name = isVolume ? { Name: source.slice(volumes.length + 1) } : {};
    const access = { RW: !options.includes("ro"), Mode: options.join(",") };
    return [{ Type: isVolume ? "volume" : "bind", ...name, Source: source, Destination: destination, ...access }];
  });
}

export function containerFields(state: ContainerState, facts: ContainerFacts) {
  const { status, init, exit, startedMs, createdMs, name, id, healthcheck, labels, command, image, exposed } = state;
  const { health, spec, network, address, volumes } = facts;
  const isRunning = status === "running";
  const shown = shownStatus(state);
  const [program = "", ...args] = command;
  return {
    Id: id,
    Name: `/${name}`,
    Created: timeOf(createdMs),
    Path: program,
    Args: args,
    Image: image,
    State: {
      Status: shown,
      Running: isRunning,
      Paused: shown === "paused",
      OOMKilled: exit?.outOfMemory ?? false,
      Pid: isRunning ? (init?.pid ?? 0) : 0,
      ExitCode: exit?.code ?? 0,
      StartedAt: timeOf(startedMs),
      FinishedAt: timeOf(exit?.finishedMs),
      ...(health === undefined ? {} : { Health: dockerHealth(health, isRunning) }),
    },
    Config: {
      Hostname: spec?.hostname ?? "",
      Image: image,
      Cmd: command,
      Env: spec?.process?.env ?? [],
      WorkingDir: spec?.process?.cwd ?? "",
      Labels: labels,
      StopSignal: state.stopSignal,
      ExposedPorts: Object.fromEntries((exposed ?? []).map((port) => [port, {}])),
      ...(healthcheck === undefined ? {} : { Healthcheck: healthcheck }),
    },
    Mounts: mountsOf(spec, state, volumes),
    NetworkSettings: {
      IPAddress: address,
      Ports: isRunning ? portsOf(state) : {},
      Networks: { [network]: { IPAddress: address } },
    },
  };
}

/** Of an image that `inspectImage` tells of. */
export function imageFields(image: {
  readonly id: string;
  readonly digest: string;
  readonly names: readonly string[];
  readonly created: string | null;
  readonly sizeBytes: number;
  readonly configuration: unknown;
  readonly layers: readonly { readonly diffId: string }[];
}) {
  const { architecture, os, config, author } = image.configuration as Readonly<Record<string, unknown>>;
  const tags = image.names.filter((name) => !name.includes("@"));
  return {
    Id: image.id,
    RepoTags: tags,
    RepoDigests: [...new Set(image.names.map((name) => `${familiarName(repositoryOf(name))}@${image.digest}`))],
    Created: image.created ?? NEVER,
    Author: author ?? "",
    Architecture: architecture ?? "",
    Os: os ?? "",
    Size: image.sizeBytes,
    Config: config ?? {},
    RootFS: { Type: "layers", Layers: image.layers.map(({ diffId }) => diffId) },
  };
}
