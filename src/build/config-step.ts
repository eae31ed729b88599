/**
 * Instructions that change how an image is run, and no files: instruction + configuration -> configuration. Pure.
 */
import { mergeEnv } from "../container/commit.ts";
import { Failure } from "../failure.ts";
import { parseSignal } from "../linux/signal.ts";
import type { Healthcheck, ImageConfig } from "../spec/image.ts";
import type { Act, Command, HealthCheck } from "./instruction.ts";
import { pathInRoot } from "./tree.ts";

const DEFAULT_SHELL: readonly string[] = ["/bin/sh", "-c"];
const NANOSECONDS = 1e6;
const LAST_PORT = 65535;
/** More than that are no list of ports that anybody has written. */
const PORTS_LIMIT = 65536;
const PORT = /^([0-9]{1,5})(?:-([0-9]{1,5}))?(?:\/(tcp|udp|sctp))?$/i;

/** What runs a command: its words, or the shell with its text. */
export function wordsOf(command: Command, config: ImageConfig): string[] {
  return command.form === "exec" ? [...command.words] : [...(config.Shell ?? DEFAULT_SHELL), command.text];
}

/** `80`, `8000-8002/udp` -> `80/tcp`, and so on. Throws a Failure for what is no port. */
export function portsOf(text: string): string[] {
  const [, first, last = first, protocol = "tcp"] = PORT.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (first === undefined || from > to || to > LAST_PORT) {
    throw new Failure(`bad port '${text}'`, { hint: "ports look like 80, 53/udp or 8000-8010" });
  }
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}/${protocol.toLowerCase()}`);
}

const keys = (names: readonly string[]): Record<string, object> => Object.fromEntries(names.map((name) => [name, {}]));

function healthOf(check: HealthCheck): Healthcheck {
  if (check.kind === "none") return { Test: ["NONE"] };
  const { command, intervalMs, timeoutMs, startPeriodMs, startIntervalMs, retries } = check;
  const time = <N extends string>(name: N, ms: number | undefined) =>
    ms === undefined ? {} : ({ [name]: ms * NANOSECONDS } as Record<N, number>);
  return {
    Test: command.form === "exec" ? ["CMD", ...command.words] : ["CMD-SHELL", command.text],
    ...time("Interval", intervalMs),
    ...time("Timeout", timeoutMs),
    ...time("StartPeriod", startPeriodMs),
    ...time("StartInterval", startIntervalMs),
    ...(retries === undefined ? {} : { Retries: retries }),
  };
}

/** An absolute path; a relative one is one below the working directory so far. */
export function workdirOf(path: string, config: ImageConfig): string {
  const joined = path.startsWith("/") ? path : `${config.WorkingDir ?? ""}/${path}`;
  return `/${pathInRoot(joined)}`;
}

/**
 * The configuration after an instruction; undefined if it is none of those that change it.
 * @param hasCmd whether this stage has said what to run: an ENTRYPOINT takes a CMD of the image below away
 */
export function configAfter(config: ImageConfig, act: Act, hasCmd: boolean): ImageConfig | undefined {
  switch (act.kind) {
    case "env":
      return {
        ...config,
        Env: mergeEnv(
          config.Env ?? [],
          act.pairs.map(([name, value]) => `${name}=${value}`),
        ),
      };
    case "label":
      return { ...config, Labels: { ...config.Labels, ...Object.fromEntries(act.pairs) } };
    case "cmd":
      return { ...config, Cmd: wordsOf(act.command, config) };
    case "entrypoint": {
      const { Cmd, ...rest } = config;
      return {
        ...rest,
        ...(hasCmd && Cmd !== undefined ? { Cmd } : {}),
        Entrypoint: wordsOf(act.command, config),
      };
    }
    case "shell":
      return { ...config, Shell: act.words };
    case "user":
      return { ...config, User: act.user };
    case "workdir":
      return { ...config, WorkingDir: workdirOf(act.path, config) };
    case "volume":
      return { ...config, Volumes: { ...config.Volumes, ...keys(act.paths) } };
    case "expose": {
      const ports = act.ports.flatMap(portsOf);
      if (ports.length > PORTS_LIMIT) throw new Failure(`${ports.length} ports are more than there are`);
      return { ...config, ExposedPorts: { ...config.ExposedPorts, ...keys(ports) } };
    }
    case "stopsignal":
      if (parseSignal(act.signal) === undefined) {
        throw new Failure(`unknown stop signal '${act.signal}'`, { hint: "use a name or number, as in SIGTERM or 15" });
      }
      return { ...config, StopSignal: act.signal };
    case "healthcheck":
      return { ...config, Healthcheck: healthOf(act.check) };
    case "onbuild":
      return { ...config, OnBuild: [...(config.OnBuild ?? []), act.instruction] };
    default:
      return undefined;
  }
}
