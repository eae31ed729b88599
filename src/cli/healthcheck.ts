/**
 * `mycontainer healthcheck run`: as podman's.
 */
import { ownChoice } from "../cgroup/choice.ts";
import { type Health, type HealthPlan, healthPlanOf } from "../container/health.ts";
import { runCheck } from "../container/health-check.ts";
import { recordResult } from "../container/health-file.ts";
import { stateRoot } from "../container/paths.ts";
import { Failure } from "../failure.ts";
import { filterOf } from "../isolation/seccomp/filter.ts";
import { isErrno } from "../linux/error.ts";
import { currentMask, ignoredSignals } from "../linux/signal.ts";
import { planProcess } from "../plan/process.ts";
import { parseFlags } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { requireRoot } from "./root.ts";
import { runningContainer, seccompOf } from "./running.ts";

const UNHEALTHY = 1;

export async function run(argv: readonly string[]): Promise<number> {
  const [command, ...more] = argv;
  if (isHelp(argv)) {
    const about = "Checks a running container's health once, and keeps the result. The exit status is 1 if it failed.";
    return printHelp("healthcheck run", "CONTAINER", about, {});
  }
  if (command !== "run") {
    throw new Failure(
      command === undefined ? "'healthcheck' needs a command" : `unknown command 'healthcheck ${command}'`,
      { hint: "there is run, as in: mycontainer healthcheck run NAME" },
    );
  }
  const { rest } = parseFlags("healthcheck run", {}, more);
  const [name, another] = rest;
  if (name === undefined || another !== undefined) {
    throw new Failure("'healthcheck run' needs one container", { hint: "as in: mycontainer healthcheck run NAME" });
  }
  requireRoot();
  const { code, health } = await checkOnce(name);
  if (code === 0) return 0;
  line(health.status);
  return UNHEALTHY;
}

async function checkOnce(name: string): Promise<{ code: number; health: Health }> {
  const { state, init, spec } = runningContainer(name);
  const plan: HealthPlan | undefined = healthPlanOf(state.healthcheck);
  if (plan === undefined) {
    throw new Failure(`container '${state.name}' has no health check`, {
      hint: "its image has none, or it was run with --no-healthcheck: --health-cmd gives it one",
    });
  }
  const process = planProcess(spec, false, seccompOf(state, spec));
  const filter = filterOf(process.seccomp, process.capabilities.bounding ?? []);
  const namespaces = (spec.linux?.namespaces ?? []).map(({ type }) => type);
  const signals = { mask: currentMask(), ignored: ignoredSignals() };
  const done = runCheck(plan, { init, cgroup: ownChoice(state.cgroupPath), namespaces, process, filter, signals });
  try {
    return { code: done.result.exitCode, health: recordResult(stateRoot(), state.id, plan, done) };
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
    throw new Failure(`container '${state.name}' has ended while it was checked`);
  }
}
