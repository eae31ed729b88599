/**
 * `mycontainer build`.
 */
import { buildImage } from "../build/build.ts";
import { downloadFile } from "../build/download.ts";
import type { BuildRequest } from "../build/request.ts";
import type { Outside } from "../build/site.ts";
import { reconcileAll } from "../container/destroy.ts";
import { stateRoot } from "../container/paths.ts";
import { EXIT, Failure } from "../failure.ts";
import { holdStore } from "../image/hold.ts";
import { familiarName, hexOf } from "../image/reference.ts";
import { openStaging, reconcileStore } from "../image/staging.ts";
import { type ImageRecord, storeFailure } from "../image/store.ts";
import { resolveCapabilities } from "../isolation/capabilities.ts";
import { filterOf } from "../isolation/seccomp/filter.ts";
import { monotonicMs } from "../linux/clock.ts";
import { environ } from "../linux/door.ts";
import { variable } from "../linux/environment.ts";
import { replaceFile, workingDirectory } from "../linux/hostpath.ts";
import { blockExactly, ignoredSignals, nextSignal, restoreMask, SIG, signalDescriptor } from "../linux/signal.ts";
import { isTerminal } from "../linux/tty.ts";
import { Turns } from "../linux/turns.ts";
import { parseFlags } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line, note } from "../term/output.ts";
import { type Expand, readAliases } from "./aliases.ts";
import { BUILD_ABOUT, BUILD_FLAGS, BUILD_USAGE, buildOptionsOf, type Progress } from "./build-flags.ts";
import { buildTeller, formatTook, quietTeller } from "./build-progress.ts";
import { readDefaults } from "./defaults.ts";
import { pullReference } from "./pull-image.ts";
import { requireRoot } from "./root.ts";
import { withRegistry } from "./with-registry.ts";

const STDERR = 2;
const SHORT_DIGITS = 12;
/** They end a build, as they end programs. */
const ENDING = [SIG.INT, SIG.TERM, SIG.HUP] as const;

/** What a build needs of registries, and how it is told of. */
function outsideOf(images: string, expand: Expand, isQuiet: boolean, isColoured: boolean): Outside {
  return {
    expand,
    provideImage: async (reference, platform) => {
      await pullReference(images, reference, { platform, progressFd: isQuiet ? undefined : STDERR });
    },
    download: (url, path) => withRegistry(`download ${url}`, ({ around }) => downloadFile(around, url, path)),
    tell: isQuiet ? quietTeller(note) : buildTeller({ isColoured }, note),
  };
}

/** Builds an image. A signal ends it, with all that runs for it. */
async function build(
  request: BuildRequest,
  expand: Expand,
  isQuiet: boolean,
  isColoured: boolean,
): Promise<ImageRecord> {
  const root = stateRoot();
  // What a build that was killed has left: containers first, for they use layers.
  reconcileAll(root);
  reconcileStore(root.images);
  const seccomp = { kind: "default" } as const;
  const filter = filterOf(seccomp, resolveCapabilities({ add: [], drop: [], privileged: false }));
  const defaults = await readDefaults();
  const mask = blockExactly(ENDING);
  const ignored = ignoredSignals();
  using turns = new Turns();
  using signals = signalDescriptor(ENDING);
  let endedBy: number | undefined;
  try {
    using staging = openStaging(root.images);
    using hold = holdStore(root.images);
    using stack = new DisposableStack();
    const site = {
      ...outsideOf(root.images, expand, isQuiet, isColoured),
      root,
      request,
      staging,
      hold,
      turns,
      stack,
      defaults,
      seccomp,
      filter,
      signals: { mask, ignored },
      running: new Set<never>(),
    };
    return await buildImage(site, (stop) => {
      turns.loop.watch(signals.fd, () => {
        endedBy = nextSignal(signals.fd)?.signal;
        stop();
      });
    });
  } catch (error) {
    if (endedBy === undefined) throw storeFailure(root.images, error);
    throw new Failure("the build was interrupted", { exitCode: EXIT.signalBase + endedBy });
  } finally {
    turns.loop.unwatch(signals.fd);
    restoreMask(mask);
  }
}

function isColoured(progress: Progress): boolean {
  const isWanted = progress === "tty" || (progress === "auto" && isTerminal(STDERR));
  return isWanted && variable("NO_COLOR") === undefined;
}

export async function run(argv: readonly string[]): Promise<number> {
  const startMs = monotonicMs();
  if (isHelp(argv, BUILD_FLAGS)) return printHelp("build", BUILD_USAGE, BUILD_ABOUT, BUILD_FLAGS);
  const { flags, rest } = parseFlags("build", BUILD_FLAGS, argv);
  const expand = await readAliases();
  const named = { ...flags, tag: flags.tag.map(expand) };
  const { request, quiet, progress, iidFile } = buildOptionsOf(named, rest, { cwd: workingDirectory(), environ });
  requireRoot();
  const { id } = await build(request, expand, quiet, isColoured(progress));
  if (iidFile !== undefined) replaceFile(iidFile, id, { durable: false });
  if (quiet) {
    line(id);
    return 0;
  }
  note(`Built ${hexOf(id).slice(0, SHORT_DIGITS)} in ${formatTook(monotonicMs() - startMs)}`);
  for (const name of request.names) note(`Tagged ${familiarName(name)}`);
  return 0;
}
