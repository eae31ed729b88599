/**
 * `build`: a Dockerfile and a context become an image. Stages that need nothing of each other are built side by side.
 */
import { Failure } from "../failure.ts";
import { ownPlatform, parsePlatform } from "../image/platform.ts";
import type { ImageRecord } from "../image/store.ts";
import { arch } from "../linux/door.ts";
import { O_DIRECTORY, O_PATH, openHost } from "../linux/hostpath.ts";
import { attach, MNT_DETACH, MS, mount, unmount } from "../linux/mount.ts";
import { CLONE, sendSignal, unshare } from "../linux/process.ts";
import { SIG } from "../linux/signal.ts";
import { type Given, globalArguments, predefinedArguments, unusedArguments } from "./arguments.ts";
import { emptyState, imageRecord, imageState, SCRATCH } from "./base.ts";
import type { Steps } from "./cached.ts";
import { type Context, ignoreIn, openContext } from "./context.ts";
import { expandStage } from "./expand.ts";
import { keepBuild, keepSteps } from "./finish.ts";
import type { Dockerfile, Instruction, Stage } from "./instruction.ts";
import { type Layer, newDraft } from "./layer.ts";
import { parseDockerfile, parseTrigger } from "./parse-dockerfile.ts";
import type { BuildRequest } from "./request.ts";
import type { Site } from "./site.ts";
import type { Sources } from "./sources.ts";
import { atLine, carryOutAll, changesFiles } from "./stage.ts";
import { sourceStage, stageBefore, stagesNeeded, targetOf } from "./stages.ts";
import type { StageState } from "./state.ts";
import { openTree, type Tree } from "./tree.ts";
import { openMerged } from "./write-layer.ts";

/** One build under way. */
class Build {
  readonly #site: Site;
  readonly #dockerfile: Dockerfile;
  /** What it is called in errors. */
  readonly #file: string;
  readonly #context: Tree;
  readonly #given: Given;
  readonly #globals: ReturnType<typeof globalArguments>;
  readonly steps: Steps = { known: new Map(), done: [] };
  readonly #stages = new Map<number, Promise<StageState>>();
  readonly #images = new Map<string, Promise<StageState>>();
  readonly #trees = new Map<string, Promise<Tree>>();
  #count = 0;
  #isStopped = false;
  /** What went wrong before all else: what it stopped fails, too, and says less. */
  firstError: { readonly error: unknown } | undefined;

  constructor(site: Site, dockerfile: Dockerfile, given: Given, { tree, dockerfile: { name } }: Context) {
    this.#site = site;
    this.#dockerfile = dockerfile;
    this.#file = name;
    this.#context = tree;
    this.#given = given;
    this.#globals = globalArguments(dockerfile, given);
  }

  /** Has everything end soon: programs that run are killed, and no step begins any more. */
  stop(): void {
    this.#isStopped = true;
    for (const pidfd of this.#site.running) sendSignal(pidfd.fd, SIG.KILL);
  }

  /** Waits until nothing is under way any more. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#stages.values());
    await Promise.allSettled(this.steps.done.map(({ layer }) => layer?.archive()));
  }

  /** A stage's last state; it is built once, whoever asks. */
  stage(index: number): Promise<StageState> {
    const known = this.#stages.get(index);
    if (known !== undefined) return known;
    const building = this.#build(index);
    this.#stages.set(index, building);
    building.catch((error: unknown) => {
      this.firstError ??= { error };
      this.stop();
    });
    return building;
  }

  async #build(index: number): Promise<StageState> {
    const { stages, escape: escapeBy } = this.#dockerfile;
    const written = stages[index];
    if (written === undefined) throw new Error(`there is no stage ${index}`);
    for (const needed of stagesNeeded(stages, index)) void this.stage(needed);
    const stage = expandStage(written, (name) => this.#globals.get(name), escapeBy);
    const { state, triggers } = await this.#base(stage, index).catch((error: unknown) => {
      throw atLine(this.#file, written.line, error);
    });
    const instructions = [...triggers, ...stage.instructions];
    const changing = instructions.filter(changesFiles);
    const label = stages.length === 1 ? undefined : (stage.name ?? `${index}`);
    const nameStep = (instruction: Instruction) => {
      const position = `${changing.indexOf(instruction) + 1}/${changing.length}`;
      return { number: ++this.#count, stage: label, position, source: instruction.source };
    };
    const ground = {
      site: this.#site,
      steps: this.steps,
      trees: this.#sources(index),
      escape: escapeBy,
      globals: this.#globals,
      given: this.#given,
      nameStep,
      checkGoing: () => {
        if (this.#isStopped) throw new Failure("the build was stopped");
      },
    };
    const begun = await carryOutAll(ground, state, triggers, `ONBUILD of ${stage.from}`);
    return carryOutAll(ground, begun, stage.instructions, this.#file);
  }

  async #base(stage: Stage, index: number): Promise<{ state: StageState; triggers: Instruction[] }> {
    const { request } = this.#site;
    const platform = stage.platform === undefined ? request.platform : parsePlatform(stage.platform);
    if (stage.from === SCRATCH) return { state: emptyState(platform), triggers: [] };
    const before = stageBefore(this.#dockerfile.stages, index, stage.from);
    const isStage = before !== undefined && !/^[0-9]+$/.test(stage.from);
    const named = request.contexts[stage.from];
    if (isStage) {
      const { config, ...rest } = await this.stage(before);
      const { OnBuild, ...below } = config;
      return { state: { ...rest, config: below, hasCmd: false }, triggers: triggersOf(OnBuild, stage.from) };
    }
    if (named?.kind === "directory") {
      throw new Failure(`the context '${stage.from}' is a directory, which no stage can begin with`, {
        hint: `begin FROM ${SCRATCH}, and COPY --from=${stage.from} / /`,
      });
    }
    const record = await imageRecord(this.#site, named?.name ?? stage.from, platform);
    return {
      state: imageState(this.#site.root.images, record),
      triggers: triggersOf(record.config.OnBuild, stage.from),
    };
  }

  /** What a stage's instructions take files from. */
  #sources(index: number): Sources {
    const layers = async (from: string): Promise<readonly Layer[]> => (await this.#state(index, from)).layers;
    return {
      layers,
      tree: async (from) => {
        if (from === undefined) return this.#context;
        const before = this.#stageMeant(index, from);
        const key = before === undefined ? `image ${from}` : `stage ${before}`;
        const known = this.#trees.get(key) ?? this.#tree(index, from, before);
        this.#trees.set(key, known);
        return known;
      },
    };
  }

  /** The stage that files are taken from; undefined if that is none. */
  #stageMeant(index: number, from: string): number | undefined {
    const { stages } = this.#dockerfile;
    return this.#site.request.contexts[from] === undefined
      ? sourceStage(stages, index, from)
      : stageBefore(stages, index, from);
  }

  #state(index: number, from: string): Promise<StageState> {
    const before = this.#stageMeant(index, from);
    if (before !== undefined) return this.stage(before);
    const named = this.#site.request.contexts[from];
    const name = named?.kind === "image" ? named.name : from;
    const known = this.#images.get(name) ?? this.#image(name);
    this.#images.set(name, known);
    return known;
  }

  async #image(name: string): Promise<StageState> {
    if (name === SCRATCH) return emptyState();
    return imageState(this.#site.root.images, await imageRecord(this.#site, name, this.#site.request.platform));
  }

  async #tree(index: number, from: string, before: number | undefined): Promise<Tree> {
    const { stack, request } = this.#site;
    const named = before === undefined ? request.contexts[from] : undefined;
    if (named?.kind === "directory") {
      const about = `the context '${from}'`;
      const bare = stack.use(openTree(named.path, { about, ignore: undefined, keepsOwners: false }));
      return { ...bare, ignore: ignoreIn(bare) };
    }
    const { layers } = await this.#state(index, from);
    const about = before === undefined ? `the image '${from}'` : `the stage '${from}'`;
    return stack.use(openTree(this.#attachMerged(layers), { about, ignore: undefined, keepsOwners: true }));
  }

  /** Shows layers as one tree, in our own mount namespace. */
  #attachMerged(layers: readonly Layer[]): string {
    const { staging, stack } = this.#site;
    const draft = newDraft(staging);
    if (layers.length === 0) return draft.upper;
    using merged = openMerged(this.#site, layers, draft);
    const path = staging.newDirectory();
    using place = openHost(path, O_PATH | O_DIRECTORY);
    attach(merged.fd, place.fd, path);
    stack.defer(() => unmount(path, MNT_DETACH));
    return path;
  }
}

function triggersOf(texts: readonly string[] | undefined, from: string): Instruction[] {
  return (texts ?? []).map((text) => parseTrigger(text, `ONBUILD of ${from}`));
}

function givenBy({ buildArgs, platform, target }: BuildRequest): Given {
  const build = ownPlatform(arch);
  return { values: buildArgs, predefined: predefinedArguments({ build, target: platform ?? build }, target) };
}

/** What is mounted for a build is seen by this process and its containers only, and goes with them. */
function leaveMountNamespace(): void {
  unshare(CLONE.newMount);
  mount("none", "/", null, MS.rec | MS.private);
}

/**
 * Builds an image. Throws a Failure if an instruction cannot be carried out; what has been done until then is in the cache.
 * @param whenBegun is given what stops the build
 */
export async function buildImage(site: Site, whenBegun: (stop: () => void) => void): Promise<ImageRecord> {
  leaveMountNamespace();
  const context = openContext(site);
  const dockerfile = parseDockerfile(context.dockerfile.text, context.dockerfile.name);
  const target = targetOf(dockerfile, site.request.target);
  const given = givenBy(site.request);
  for (const name of unusedArguments(dockerfile, given)) {
    site.tell({ kind: "warning", text: `--build-arg ${name} is not asked for by any ARG` });
  }
  const build = new Build(site, dockerfile, given, context);
  whenBegun(() => build.stop());
  try {
    const state = await build.stage(target);
    site.tell({ kind: "exporting" });
    return await keepBuild(site, state, build.steps.done);
  } catch (error) {
    build.stop();
    await build.settle();
    // The first error is the one to tell.
    await keepSteps(site, build.steps.done).catch(() => {});
    throw build.firstError?.error ?? error;
  } finally {
    await build.settle();
  }
}
