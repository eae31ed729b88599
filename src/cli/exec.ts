/**
 * `mycontainer exec`.
 */
import { ownChoice } from "../cgroup/choice.ts";
import { execute } from "../container/exec.ts";
import type { ContainerState } from "../container/state.ts";
import { connectTerminal, plainStreams } from "../container/streams.ts";
import { supervise } from "../container/supervise.ts";
import { Failure } from "../failure.ts";
import { resolveCapabilities } from "../isolation/capabilities.ts";
import { labelFacts } from "../isolation/labels.ts";
import { filterOf } from "../isolation/seccomp/filter.ts";
import { readAccounts, resolveUser } from "../isolation/users.ts";
import { environ } from "../linux/door.ts";
import { EventLoop } from "../linux/eventloop.ts";
import { O_DIRECTORY, O_PATH, O_RDWR, openHost } from "../linux/hostpath.ts";
import { exitCodeOf } from "../linux/process.ts";
import { blockExactly, forwardableSignals, ignoredSignals } from "../linux/signal.ts";
import { isTerminal } from "../linux/tty.ts";
import type { ProcessPlan } from "../plan/plan.ts";
import { planProcess } from "../plan/process.ts";
import type { Spec } from "../spec/config.ts";
import { list, parseFlags, text, toggle, type Values } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { warn } from "../term/output.ts";
import { environmentOf } from "./environment.ts";
import { readFlagFile } from "./flag-file.ts";
import { requireRoot } from "./root.ts";
import { runningContainer, seccompOf } from "./running.ts";

const FLAGS = {
  detach: toggle("d", "Run it in the background"),
  env: list("e", "NAME=VALUE", "Set an environment variable"),
  "env-file": list("", "FILE", "Read environment variables from a file"),
  interactive: toggle("i", "Pass standard input on"),
  privileged: toggle("", "Give it all capabilities"),
  tty: toggle("t", "Give it a terminal"),
  user: text("u", "USER[:GROUP]", "User, by name or number"),
  workdir: text("w", "PATH", "Working directory"),
} as const;

export async function run(argv: readonly string[]): Promise<number> {
  if (isHelp(argv, FLAGS, { stopAtFirstWord: true })) {
    return printHelp(
      "exec",
      "[FLAGS] CONTAINER COMMAND [ARGUMENT...]",
      "Runs a command in a running container.",
      FLAGS,
    );
  }
  const { flags, rest } = parseFlags("exec", FLAGS, argv, { stopAtFirstWord: true });
  const [name, ...command] = rest;
  if (name === undefined || command.length === 0) {
    throw new Failure("'exec' needs a container and a command", { hint: "as in: mycontainer exec NAME ps" });
  }
  requireRoot();
  const { state, init, spec } = runningContainer(name);
  const isImplicit = flags.tty === undefined && flags.interactive === undefined && flags.detach !== true;
  const terminal = flags.tty ?? (isImplicit && isTerminal(0) && isTerminal(1));
  const process = planExec(state, spec, flags, command, init.pid, terminal);
  const filter = filterOf(process.seccomp, process.capabilities.bounding ?? []);
  const signals = forwardableSignals();
  const inherited = { mask: blockExactly(signals), ignored: ignoredSignals() };
  using loop = new EventLoop();
  using nothing = openHost("/dev/null", O_RDWR);
  using streams = plainStreams();
  const detached = flags.detach === true;
  const { child, terminal: master } = execute({
    init,
    namespaces: (spec.linux?.namespaces ?? []).map(({ type }) => type),
    cgroup: state.cgroupPath === undefined ? undefined : ownChoice(state.cgroupPath),
    process,
    detached,
    streams: detached ? [nothing.fd, nothing.fd, nothing.fd] : streams.fds,
    signals: inherited,
    filter,
    labelFacts: labelFacts(),
    warn,
  });
  if (detached) return 0;
  if (master === undefined) {
    streams.started(loop);
    const ending = supervise({ child, loop, signals, forward: true });
    streams.finish();
    return exitCodeOf(ending);
  }
  using session = connectTerminal(loop, master, flags.interactive ?? isImplicit);
  const ending = supervise({ child, loop, signals, forward: true, resized: () => session.resize() });
  session.finish();
  return exitCodeOf(ending);
}

/** The container's own process, with what is asked for in its place. */
function planExec(
  state: ContainerState,
  spec: Spec,
  flags: Values<typeof FLAGS>,
  command: readonly string[],
  initPid: number,
  terminal: boolean,
): ProcessPlan {
  const base = planProcess(spec, false, flags.privileged === true ? { kind: "none" } : seccompOf(state, spec));
  const env = new Map(base.env.map((entry) => [entry.slice(0, entry.indexOf("=")), entry]));
  if (terminal && !env.has("TERM")) env.set("TERM", "TERM=xterm");
  using root = openHost(`/proc/${initPid}/root`, O_PATH | O_DIRECTORY);
  const user = flags.user === undefined ? undefined : resolveUser(flags.user, [], readAccounts([root.fd]));
  if (user !== undefined) env.set("HOME", `HOME=${user.home}`);
  for (const entry of environmentOf(flags.env, flags["env-file"], { environ, readFile: readFlagFile })) {
    const equals = entry.indexOf("=");
    if (equals < 0) env.delete(entry);
    else env.set(entry.slice(0, equals), entry);
  }
  const ids = user ?? base.user;
  const bounding =
    flags.privileged === true
      ? resolveCapabilities({ add: [], drop: [], privileged: true })
      : (base.capabilities.bounding ?? []);
  const effective = ids.uid === 0 ? bounding : [];
  return {
    ...base,
    args: command,
    env: [...env.values()],
    cwd: flags.workdir ?? base.cwd,
    user: { uid: ids.uid, gid: ids.gid, additionalGids: [...(ids.additionalGids ?? [])] },
    terminal,
    noNewPrivileges: base.noNewPrivileges || (ids.uid !== 0 && flags.privileged !== true),
    capabilities: { bounding, effective, permitted: effective, inheritable: [], ambient: [] },
  };
}
