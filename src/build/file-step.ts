/**
 * The instructions that change files, each from a stage's state to a layer: COPY, ADD, RUN, WORKDIR.
 */
import type { MountRequest, NetworkChoice } from "../container/options.ts";
import { Failure } from "../failure.ts";
import { readAccounts, resolveUser } from "../isolation/users.ts";
import { call } from "../linux/error.ts";
import { O_CREAT, O_EXCL, O_WRONLY, openHost } from "../linux/hostpath.ts";
import { writeAll } from "../linux/io.ts";
import { downloadSource, isDownload, unpackedSource } from "./add.ts";
import { wordsOf } from "./config-step.ts";
import { copyLayer, ensureDirectory, type FilesSource, isDirectoryIn, type Source, sourcesKey } from "./copy.ts";
import type { StepName } from "./events.ts";
import { isRepository, repositorySource } from "./git.ts";
import type { Act } from "./instruction.ts";
import { stepKey } from "./key.ts";
import type { Layer } from "./layer.ts";
import { runProgram } from "./program-run.ts";
import { parseRunMount } from "./run-mount.ts";
import { mountKey, prepareMounts } from "./run-mounts.ts";
import { scriptOf } from "./run-script.ts";
import type { Site } from "./site.ts";
import type { Sources } from "./sources.ts";
import type { StageState } from "./state.ts";
import { findSources, pathInRoot, type Tree } from "./tree.ts";
import { writeLayer } from "./write-layer.ts";

/** A step that is known, and not yet done. */
export interface FileStep {
  readonly key: string;
  readonly make: () => Promise<Layer | undefined>;
}

type Of<K extends Act["kind"]> = Extract<Act, { kind: K }>;

const SCRIPT_MODE = 0o755;
const GIT_DIRECTORY = ".git";

function filesOf(tree: Tree, sources: readonly string[], parents: boolean): FilesSource[] {
  return sources.flatMap((source) => {
    const pivot = parents ? source.indexOf("/./") : -1;
    const skipped =
      pivot < 0
        ? 0
        : pathInRoot(source.slice(0, pivot))
            .split("/")
            .filter((part) => part !== "").length;
    return findSources(tree, source).map((found): FilesSource => {
      return {
        kind: "files",
        tree,
        found,
        kept: parents ? found.asked.split("/").slice(skipped).join("/") : undefined,
      };
    });
  });
}

function textsOf({ heredocs }: Of<"copy" | "add">): Source[] {
  return heredocs.map(({ name, text }) => ({ kind: "text", name, text }));
}

function withoutTexts(act: Of<"copy" | "add">): string[] {
  const names = new Set(act.heredocs.map(({ name }) => name));
  return act.sources.filter((source) => !names.has(source));
}

/**
 * @param final the sources as they are copied, if that is otherwise than they are known
 * @param commits what a directory .git is known by, which is never the same twice
 */
function copyStep(
  site: Site,
  state: StageState,
  act: Of<"copy" | "add">,
  sources: readonly Source[],
  source: string,
  { final = () => sources, commits = [] }: { final?: () => readonly Source[]; commits?: readonly string[] } = {},
): FileStep {
  const { target, chown, chmod, link, exclude } = act;
  const parents = act.kind === "copy" && act.parents;
  const workdir = state.config.WorkingDir ?? "/";
  const how = [
    act.kind,
    target,
    workdir,
    chown ?? null,
    chmod ?? null,
    parents,
    act.kind === "add" && (act.unpack ?? null),
    commits,
  ];
  const key = stepKey([
    link ? null : state.content,
    how,
    sourcesKey(sources, commits.length > 0 ? [...exclude, GIT_DIRECTORY] : exclude),
  ]);
  const request = { target, chown, chmod, link, exclude, parents, workdir };
  return { key, make: async () => copyLayer(site, state.layers, { ...request, sources: final() }, source) };
}

export async function planCopy(
  site: Site,
  state: StageState,
  act: Of<"copy">,
  trees: Sources,
  source: string,
): Promise<FileStep> {
  const names = withoutTexts(act);
  const files = names.length === 0 ? [] : filesOf(await trees.tree(act.from), names, act.parents);
  return copyStep(site, state, act, [...files, ...textsOf(act)], source);
}

export async function planAdd(
  site: Site,
  state: StageState,
  act: Of<"add">,
  trees: Sources,
  source: string,
): Promise<FileStep> {
  const files: FilesSource[] = [];
  const archives = new Set<Source>();
  const commits: string[] = [];
  for (const name of withoutTexts(act)) {
    if (isRepository(name)) {
      const { file, commit } = await repositorySource(site, name, act.keepGitDir);
      files.push(file);
      commits.push(commit);
      continue;
    }
    const isAway = isDownload(name);
    if (!isAway && act.checksum !== undefined) {
      throw new Failure("--checksum is for files of the web", { hint: "those of the context are what they are" });
    }
    const found = isAway
      ? [await downloadSource(site, name, act.checksum)]
      : filesOf(await trees.tree(undefined), [name], false);
    files.push(...found);
    if (act.unpack ?? !isAway) for (const file of found) archives.add(file);
  }
  const texts = textsOf(act);
  const final = (): Source[] => [
    ...files.map((file) => (archives.has(file) ? (unpackedSource(site, file) ?? file) : file)),
    ...texts,
  ];
  return copyStep(site, state, act, [...files, ...texts], source, { final, commits: act.keepGitDir ? commits : [] });
}

/** A working directory that is not there is made, for the user of the stage, as BuildKit does. */
export function planWorkdir(site: Site, state: StageState, path: string, source: string): FileStep {
  const user = state.config.User ?? "";
  const make = async (): Promise<Layer | undefined> =>
    writeLayer(site, state.layers, source, (root) => {
      if (isDirectoryIn(root, path)) return;
      const owner = user === "" ? undefined : resolveUser(user, [], readAccounts([root.fd]));
      ensureDirectory(root, path, owner).close();
    });
  return { key: stepKey(["workdir", state.content, path, user]), make };
}

function networkOf(site: Site, network: Of<"run">["network"]): NetworkChoice {
  const asked = network === "default" ? site.request.network : network;
  return asked === "default" ? { kind: "bridge" } : { kind: asked };
}

/** A script that says itself what runs it: a file in the container, outside of its root. */
function scriptMount(site: Site, name: string, text: string): { words: string[]; mount: MountRequest } {
  const path = site.staging.newPath();
  using file = openHost(path, O_WRONLY | O_CREAT | O_EXCL);
  writeAll(file.fd, text, path);
  call("fchmod", path, file.fd, SCRIPT_MODE);
  const target = `/dev/pipes/${name}`;
  const mount = {
    kind: "bind",
    source: path,
    target,
    readonly: true,
    propagation: "rprivate",
    recursive: false,
    createSource: false,
  } as const;
  return { words: [target], mount };
}

/** @param args of ARG: what the result depends on, and proxies, which it does not depend on */
export async function planRun(
  site: Site,
  state: StageState,
  act: Of<"run">,
  trees: Sources,
  step: StepName,
  args: { readonly seen: readonly string[]; readonly proxies: readonly string[] },
): Promise<FileStep> {
  const { config, layers } = state;
  const { addHosts, memoryBytes, shmSizeBytes, rlimits } = site.request;
  if (layers.length === 0) {
    throw new Failure("there are no files to run anything in", {
      hint: "COPY or ADD some first, or begin FROM an image",
    });
  }
  const requests = act.mounts.map(parseRunMount);
  const keys: unknown[] = [];
  for (const request of requests) keys.push(await mountKey(request, trees));
  const script = scriptOf(act);
  const network = networkOf(site, act.network);
  const workdir = config.WorkingDir ?? "/";
  const what = script.kind === "file" ? [script.name, script.text] : wordsOf(script.command, config);
  const key = stepKey([
    "run",
    state.content,
    what,
    config.Env ?? [],
    args.seen,
    config.User ?? "",
    workdir,
    network.kind,
    [addHosts, memoryBytes ?? null, shmSizeBytes ?? null, rlimits],
    keys,
  ]);
  const make = async (): Promise<Layer | undefined> => {
    using stack = new DisposableStack();
    const mounted = await prepareMounts(site, requests, trees, workdir, stack);
    const file = script.kind === "file" ? scriptMount(site, script.name, script.text) : undefined;
    // Awaited here: what the mounts need is given back when the program has ended, not when it has begun.
    return await runProgram(site, {
      step,
      below: layers,
      config,
      args: file?.words ?? what,
      env: args.seen,
      hiddenEnv: [...args.proxies, ...mounted.env],
      mounts: [...mounted.mounts, ...(file === undefined ? [] : [file.mount])],
      network,
    });
  };
  return { key, make };
}
