/**
 * Which stages are built, and what they need of each other. Pure.
 */
import { Failure, nearestOf } from "../failure.ts";
import type { Dockerfile, Instruction, Stage } from "./instruction.ts";
import { fromOfMount } from "./run-mount.ts";

/** The number of the stage that is to be built: by name, or number, or the last. */
export function targetOf({ stages }: Dockerfile, target: string | undefined): number {
  if (target === undefined) return stages.length - 1;
  const byName = stages.findLastIndex(({ name }) => name === target.toLowerCase());
  if (byName >= 0) return byName;
  if (/^[0-9]{1,4}$/.test(target) && Number(target) < stages.length) return Number(target);
  const names = stages.flatMap(({ name }) => name ?? []);
  const nearest = nearestOf(target.toLowerCase(), names);
  const hint =
    nearest !== undefined
      ? `did you mean '${nearest}'?`
      : names.length > 0
        ? `there are ${names.join(", ")}`
        : undefined;
  throw new Failure(`there is no stage '${target}'`, { hint });
}

/** The stage before `index` that a name or number means; undefined if it means none. */
export function stageBefore(stages: readonly Stage[], index: number, name: string): number | undefined {
  const before = stages.slice(0, index);
  const byName = before.findLastIndex((stage) => stage.name === name.toLowerCase());
  if (byName >= 0) return byName;
  return /^[0-9]{1,4}$/.test(name) && Number(name) < index ? Number(name) : undefined;
}

/** As `stageBefore`, for what files are taken from. Throws a Failure if that is a stage which is not before. */
export function sourceStage(stages: readonly Stage[], index: number, name: string): number | undefined {
  const before = stageBefore(stages, index, name);
  if (before !== undefined) return before;
  if (stages[index]?.name === name.toLowerCase()) {
    throw new Failure(`the stage '${name}' cannot take files from itself`, { hint: "they are there already: RUN cp" });
  }
  if (stages.some((stage) => stage.name === name.toLowerCase())) {
    throw new Failure(`the stage '${name}' comes later`, { hint: "files are taken from stages before: move it up" });
  }
  if (/^[0-9]{1,4}$/.test(name)) {
    const hint = index === 0 ? "this is the first" : `before it there are 0 to ${index - 1}`;
    throw new Failure(`there is no stage ${name} before this one`, { hint });
  }
  return undefined;
}

/** What an instruction takes files from, beside the context. */
function namesIn(instruction: Instruction): string[] {
  if (instruction.kind === "copy") return instruction.from === undefined ? [] : [instruction.from];
  if (instruction.kind === "run") return instruction.mounts.flatMap((mount) => fromOfMount(mount) ?? []);
  return [];
}

/** The stages that a stage takes files from, as far as its own instructions tell. */
export function stagesNeeded(stages: readonly Stage[], index: number): number[] {
  const instructions = stages[index]?.instructions ?? [];
  return instructions.flatMap(namesIn).flatMap((name) => stageBefore(stages, index, name) ?? []);
}
