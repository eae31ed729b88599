/**
 * One stage of a build: its instructions in their order, each on top of what those before it have made.
 */
import { nameOf } from "../container/commit.ts";
import { Failure, unreachable } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import { type Arguments, declareArguments, type Given, lookupIn, runArguments, type StageScope } from "./arguments.ts";
import { doStep, type Steps } from "./cached.ts";
import { configAfter, workdirOf } from "./config-step.ts";
import type { StepName } from "./events.ts";
import { expandInstruction } from "./expand.ts";
import { type FileStep, planAdd, planCopy, planRun, planWorkdir } from "./file-step.ts";
import type { Act, Escape, Instruction } from "./instruction.ts";
import { stepKey } from "./key.ts";
import type { Site } from "./site.ts";
import type { Sources } from "./sources.ts";
import type { StageState } from "./state.ts";

export interface StageGround {
  readonly site: Site;
  readonly steps: Steps;
  readonly trees: Sources;
  readonly escape: Escape;
  /** ARG before the first FROM. */
  readonly globals: Arguments;
  readonly given: Given;
  /** Names a step for whoever is told of it. */
  readonly nameStep: (instruction: Instruction) => StepName;
  /** Throws if the build has failed elsewhere. */
  readonly checkGoing: () => void;
}

/** Instructions that change files, and are told of. */
export const changesFiles = ({ kind }: Act): boolean =>
  kind === "copy" || kind === "add" || kind === "run" || kind === "workdir";

function scopeOf({ config, args }: StageState): StageScope {
  const entries = (config.Env ?? []).map((entry) => [nameOf(entry), entry.slice(nameOf(entry).length + 1)] as const);
  return { args, env: new Map(entries) };
}

function planStep(ground: StageGround, state: StageState, act: Act, step: StepName): Promise<FileStep> | FileStep {
  const { site, trees } = ground;
  switch (act.kind) {
    case "copy":
      return planCopy(site, state, act, trees, step.source);
    case "add":
      return planAdd(site, state, act, trees, step.source);
    case "workdir":
      return planWorkdir(site, state, workdirOf(act.path, state.config), step.source);
    case "run":
      return planRun(site, state, act, trees, step, runArguments(scopeOf(state), ground.given));
    default:
      throw new Error(`${act.kind} changes no files`);
  }
}

async function changeFiles(
  ground: StageGround,
  state: StageState,
  act: Act,
  instruction: Instruction,
): Promise<StageState> {
  const { site, steps } = ground;
  const step = ground.nameStep(instruction);
  const { key, make } = await planStep(ground, state, act, step);
  const { layer, createdMs } = await doStep(site, steps, step, key, state.layers, make);
  const youngestMs = Math.max(state.createdMs, createdMs);
  const entry = { created: new Date(createdMs).toISOString(), created_by: instruction.source, comment: "" };
  if (layer === undefined) {
    return { ...state, createdMs: youngestMs, history: [...state.history, { ...entry, empty_layer: true }] };
  }
  return {
    ...state,
    layers: [...state.layers, layer],
    content: stepKey(["files", state.content, key]),
    createdMs: youngestMs,
    history: [...state.history, entry],
  };
}

function changeConfig(state: StageState, act: Act, { source }: Instruction): StageState {
  const entry = {
    created: new Date(state.createdMs).toISOString(),
    created_by: source,
    comment: "",
    empty_layer: true,
  } as const;
  const history = [...state.history, entry];
  if (act.kind === "maintainer") return { ...state, author: act.name, history };
  const config = configAfter(state.config, act, state.hasCmd);
  if (config === undefined) throw new Error(`${act.kind} changes nothing`);
  return { ...state, config, hasCmd: state.hasCmd || act.kind === "cmd", history };
}

/** What an instruction makes of a stage. Throws a Failure that names its line. */
async function carryOut(ground: StageGround, state: StageState, instruction: Instruction): Promise<StageState> {
  const scope = scopeOf(state);
  const act = expandInstruction(instruction, lookupIn(scope), ground.escape);
  switch (act.kind) {
    case "arg":
      return { ...state, args: declareArguments(act, scope, ground.globals, ground.given, ground.escape) };
    case "workdir":
      return changeConfigAfter(await changeFiles(ground, state, act, instruction), act);
    case "copy":
    case "add":
    case "run":
      return changeFiles(ground, state, act, instruction);
    case "env":
    case "label":
    case "maintainer":
    case "cmd":
    case "entrypoint":
    case "shell":
    case "user":
    case "volume":
    case "expose":
    case "stopsignal":
    case "healthcheck":
    case "onbuild":
      return changeConfig(state, act, instruction);
    default:
      return unreachable(act);
  }
}

/** WORKDIR has its line in the history already. */
function changeConfigAfter(state: StageState, act: Act): StageState {
  return { ...state, config: configAfter(state.config, act, state.hasCmd) ?? state.config };
}

/** A failure that tells where in a Dockerfile it is. */
class PlacedFailure extends Failure {}

/** An error with the file and the line of the instruction that it is of. */
export function atLine(file: string, line: number, error: unknown): unknown {
  // What another stage has failed with has its line; what the store has no room for is told as such by whoever keeps it.
  if (error instanceof PlacedFailure || isErrno(error, "ENOSPC", "EDQUOT")) return error;
  if (!(error instanceof Failure || isErrno(error))) return error;
  const known = `line ${line}: `;
  const text = error.message.startsWith(known) ? error.message.slice(known.length) : error.message;
  const message = `${file}:${line}: ${text}`;
  const details = error instanceof Failure ? { hint: error.hint, exitCode: error.exitCode } : {};
  return new PlacedFailure(message, { ...details, cause: error });
}

/**
 * Carries out instructions, one after another.
 * @param file what they stand in, for errors
 */
export async function carryOutAll(
  ground: StageGround,
  begin: StageState,
  instructions: readonly Instruction[],
  file: string,
): Promise<StageState> {
  let state = begin;
  for (const instruction of instructions) {
    ground.checkGoing();
    try {
      state = await carryOut(ground, state, instruction);
    } catch (error) {
      throw atLine(file, instruction.line, error);
    }
  }
  return state;
}
