/**
 * RUN and HEALTHCHECK: commands with flags. Pure.
 */
import { Failure, nearestOf } from "../failure.ts";
import { marksAmong, readHeredocs, shellWords } from "./heredoc.ts";
import type { Act } from "./instruction.ts";
import { commandOf, firstWord, type Parts, readFlags } from "./instruction-words.ts";
import type { LineReader } from "./logical-lines.ts";
import { refuseVariable } from "./parse-transfer.ts";
import { fromOfMount, parseRunMount } from "./run-mount.ts";

const NETWORKS = ["default", "none", "host"] as const;
type Network = (typeof NETWORKS)[number];

export function parseRun(parts: Parts, lines: LineReader): Act {
  const flags = readFlags("RUN", parts.flags, { mount: "list", network: "text", security: "text" });
  for (const mount of flags.mount) checkMount(mount);
  checkSecurity(flags.security ?? "sandbox");
  const command = commandOf(parts.rest);
  if (parts.rest === "" || (command.form === "exec" && command.words.length === 0)) {
    throw new Failure("RUN needs a command", { hint: "as in RUN make install" });
  }
  const marks = command.form === "shell" && command.text.includes("<<") ? marksAmong(shellWords(command.text)) : [];
  const heredocs = readHeredocs(marks, lines);
  return { kind: "run", command, heredocs, mounts: flags.mount, network: parseNetwork(flags.network ?? "default") };
}

/** What a mount's options mean is known when their variables are; without variables it is known now. */
function checkMount(text: string): void {
  refuseVariable(fromOfMount(text), "--mount=...,from");
  if (!text.includes("$")) parseRunMount(text);
}

function parseNetwork(text: string): Network {
  const found = NETWORKS.find((network) => network === text);
  if (found !== undefined) return found;
  const nearest = nearestOf(text, NETWORKS);
  const hint = nearest === undefined ? "use default, none or host" : `did you mean --network=${nearest}?`;
  throw new Failure(`RUN has no network '${text}'`, { hint });
}

function checkSecurity(text: string): void {
  if (text === "sandbox") return;
  if (text === "insecure") {
    throw new Failure("RUN --security=insecure is not allowed: a build has no more rights than its containers", {
      hint: "do it in a container: mycontainer run --privileged, and mycontainer commit",
    });
  }
  throw new Failure(`RUN has no security '${text}'`, { hint: "use --security=sandbox" });
}

const CHECK_FLAGS = {
  interval: "text",
  timeout: "text",
  "start-period": "text",
  "start-interval": "text",
  retries: "text",
} as const;
const MOST_RETRIES = 2 ** 31 - 1;

export function parseHealthcheck(parts: Parts): Act {
  const [word, rest] = firstWord(parts.rest);
  const type = word.toUpperCase();
  if (type === "NONE") {
    readFlags("HEALTHCHECK NONE", parts.flags, {});
    if (rest !== "") throw new Failure("HEALTHCHECK NONE takes nothing else");
    return { kind: "healthcheck", check: { kind: "none" } };
  }
  if (type !== "CMD") {
    const hint = "as in HEALTHCHECK --interval=30s CMD curl -f localhost, or HEALTHCHECK NONE";
    throw new Failure(word === "" ? "HEALTHCHECK needs CMD or NONE" : `HEALTHCHECK has no '${word}'`, { hint });
  }
  const flags = readFlags("HEALTHCHECK", parts.flags, CHECK_FLAGS);
  const command = commandOf(rest);
  if (rest === "" || (command.form === "exec" && command.words.length === 0)) {
    throw new Failure("HEALTHCHECK CMD needs a command", { hint: "as in HEALTHCHECK CMD curl -f localhost" });
  }
  const duration = (name: keyof typeof CHECK_FLAGS) => durationMs(flags[name], `--${name}`);
  return {
    kind: "healthcheck",
    check: {
      kind: "check",
      command,
      intervalMs: duration("interval"),
      timeoutMs: duration("timeout"),
      startPeriodMs: duration("start-period"),
      startIntervalMs: duration("start-interval"),
      retries: parseRetries(flags.retries),
    },
  };
}

function parseRetries(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  const retries = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(retries <= MOST_RETRIES)) throw new Failure(`--retries is a whole number, not '${text}'`);
  return retries === 0 ? undefined : retries;
}

const UNITS_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ns: 1e-6,
};
const DURATION_PART = /^(\d{1,12}\.?\d{0,12}|\.\d{1,12})(h|ms|m|s|us|µs|μs|ns)/;
const LONGEST_DURATION = 64;

/** A duration as Go writes it: `1m30s`, `500ms`. Undefined for 0, which is "as if not given". */
function durationMs(text: string | undefined, flag: string): number | undefined {
  if (text === undefined || text === "" || text === "0") return undefined;
  const bad = (): Failure => new Failure(`${flag} is a duration, not '${text}'`, { hint: "as in 30s, 1m30s or 500ms" });
  let rest = text.startsWith("+") ? text.slice(1) : text;
  if (rest === "" || rest.length > LONGEST_DURATION) throw bad();
  let milliseconds = 0;
  while (rest !== "") {
    const [all, number, unit] = DURATION_PART.exec(rest) ?? [];
    if (all === undefined) throw bad();
    milliseconds += Number(number) * (UNITS_MS[unit ?? ""] ?? Number.NaN);
    rest = rest.slice(all.length);
  }
  if (milliseconds === 0) return undefined;
  if (milliseconds < 1) throw new Failure(`${flag} is at least 1ms, not '${text}'`);
  return milliseconds;
}
