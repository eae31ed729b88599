/**
 * A container's hooks, with the state that they are told; the code that runs them is loaded where there are any.
 */
import { type HookState, stateObject } from "../container/hook-state.ts";
import type { ContainerHooks, RunHooks } from "../container/hooks.ts";
import { failureOfHooks, runHooks } from "../container/hooks.ts";
import type { Plan } from "../plan/plan.ts";
import type { Hooks, Spec } from "../spec/config.ts";
import type { Bundle } from "./bundle.ts";
import type { Globals } from "./globals.ts";
import { tellLog } from "./report.ts";
import { OCI_VERSION_MAX } from "./versions.ts";

export function hasHooks(hooks: Hooks | undefined): boolean {
  return Object.values(hooks ?? {}).some((list) => ((list ?? []) as readonly unknown[]).length > 0);
}

type Identity = { readonly id: string; readonly bundle: string };

/** runtime.md#state. Pure. */
export function stateOf(spec: Spec, { id, bundle }: Identity, status: HookState["status"], pid: number): HookState {
  return stateObject({ ociVersion: OCI_VERSION_MAX, id, status, pid, bundle, annotations: spec.annotations });
}

/** As hooks get it on their standard input. Pure. */
export function stateText(spec: Spec, identity: Identity, status: HookState["status"], pid: number): string {
  return JSON.stringify(stateOf(spec, identity, status, pid));
}

/** What runs hooks, loaded now. Those that the specification has fail without consequences are told of in the log. */
export function hookRunner(globals: Globals): RunHooks {
  const warn = (text: string) => tellLog(globals, "warning", text);
  return (kind, hooks, state, env) => runHooks(kind, hooks, state, { onFailure: failureOfHooks(kind), warn, env });
}

/** What runs the hooks of a plan; undefined if it has none. */
export function hooksOf({ hooks }: Plan, bundle: Bundle, id: string, globals: Globals): ContainerHooks | undefined {
  if (!hasHooks(hooks)) return undefined;
  return {
    run: hookRunner(globals),
    state: (status, pid) => stateText(bundle.spec, { id, bundle: bundle.path }, status, pid),
  };
}
