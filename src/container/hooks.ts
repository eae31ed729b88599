import type { Hook, HookKind } from "../spec/config.ts";
export type RunHooks = (kind: HookKind, hooks: readonly Hook[], stateJson: string) => void;
export function runHooks(_kind: HookKind, _hooks: readonly Hook[], _state: string): void {}
