/**
 * What `inspect` tells of a container under the names that docker's has, beside our own: scripts ask for them. Pure.
 */
import { dockerHealth, type Health } from "../container/health.ts";
import type { ContainerState } from "../container/state.ts";

/** docker's time of what has not happened. */
const NEVER = "0001-01-01T00:00:00Z";

const timeOf = (ms: number | undefined): string => (ms === undefined ? NEVER : new Date(ms).toISOString());

export function dockerFields(state: ContainerState, health: Health | undefined) {
  const { status, init, exit, startedMs, createdMs, name, id, healthcheck, labels, command, image } = state;
  const isRunning = status === "running";
  return {
    Id: id,
    Name: `/${name}`,
    Created: timeOf(createdMs),
    Image: image,
    State: {
      Status: status === "creating" ? "created" : status,
      Running: isRunning,
      OOMKilled: exit?.outOfMemory ?? false,
      Pid: isRunning ? (init?.pid ?? 0) : 0,
      ExitCode: exit?.code ?? 0,
      StartedAt: timeOf(startedMs),
      FinishedAt: timeOf(exit?.finishedMs),
      ...(health === undefined ? {} : { Health: dockerHealth(health, isRunning) }),
    },
    Config: {
      Image: image,
      Cmd: command,
      Labels: labels,
      StopSignal: state.stopSignal,
      ...(healthcheck === undefined ? {} : { Healthcheck: healthcheck }),
    },
  };
}
