/**
 * The state of a container as hooks, seccomp agents and `state` read it. Pure.
 * Source: runtime-spec runtime.md#state, schema/state-schema.json.
 */

export interface HookState {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: "creating" | "created" | "running" | "stopped";
  /** Of the container's first process; undefined (or 0) where there is none any more, or not yet. */
  readonly pid?: number | undefined;
  /** An absolute path. */
  readonly bundle: string;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** What the specification has and nothing else, in its order; a pid of 0 and an empty set of annotations are left out, as with runc. */
export function stateObject(state: HookState): HookState {
  const { ociVersion, id, status, pid = 0, bundle, annotations = {} } = state;
  return {
    ociVersion,
    id,
    status,
    ...(pid === 0 ? {} : { pid }),
    bundle,
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
}

/** As JSON, in one line without an end of line. */
export function hookState(state: HookState): string {
  return JSON.stringify(stateObject(state));
}
