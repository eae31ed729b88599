/**
 * A container's hooks, with the state that they are told; the code that runs them is loaded where there are any.
 */
import type { RunHooks } from "../container/hooks.ts";
import type { Plan } from "../plan/plan.ts";
import type { Hooks, Spec } from "../spec/config.ts";
import { SPEC_VERSION } from "./spec-version.ts";
import type { Bundle } from "./bundle.ts";
import type { Status } from "./record.ts";

export interface Hooked {
  readonly run: RunHooks;
  /** The state while the container is being made. */
  readonly state: (pid: number) => string;
}

export function hasHooks(hooks: Hooks | undefined): boolean {
  return Object.values(hooks ?? {}).some((list) => (list?.length ?? 0) > 0);
}

/** runtime.md#state, as hooks get it on their standard input. Pure. */
export function stateText(
  spec: Spec,
  { id, bundle }: { readonly id: string; readonly bundle: string },
  status: Status,
  pid: number,
): string {
  return JSON.stringify({
    ociVersion: SPEC_VERSION,
    id,
    status,
    ...(status === "stopped" ? {} : { pid }),
    bundle,
    annotations: spec.annotations ?? {},
  });
}

/** What runs the hooks of a plan; undefined if it has none. */
export async function hooksOf({ hooks }: Plan, bundle: Bundle, id: string): Promise<Hooked | undefined> {
  if (!hasHooks(hooks)) return undefined;
  const { runHooks } = await import("../container/hooks.ts");
  return {
    run: (kind, list, state) => runHooks(kind, list, state),
    state: (pid) => stateText(bundle.spec, { id, bundle: bundle.path }, "creating", pid),
  };
}
