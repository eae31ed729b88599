/**
 * `mycontainer build`.
 */
import { buildImage } from "../build/build.ts";
import { downloadFile } from "../build/download.ts";
import type { BuildRequest } from "../build/request.ts";
import type { Outside } from "../build/site.ts";
import { stateRoot } from "../container/paths.ts";
import { EXIT, Failure } from "../failure.ts";
import { holdStore } from "../image/hold.ts";
import { familiarName, hexOf } from "../image/reference.ts";
import { openStaging, reconcileStore } from "../image/staging.ts";
import { type ImageRecord, storeFailure } from "../image/store.ts";
import { resolveCapabilities } from "../isolation/capabilities.ts";
import { filterOf } from "../isolation/seccomp/filter.ts";
import { monotonicMs } from "../linux/clock.ts";
import { blockExactly, ignoredSignals, nextSignal, restoreMask, SIG, signalDescriptor } from "../linux/signal.ts";
import { isTerminal } from "../linux/tty.ts";
import { Turns } from "../linux/turns.ts";
import { line, note } from "../term/output.ts";
import { buildTeller } from "./build-progress.ts";
import { readDefaults } from "./defaults.ts";
import { pullReference } from "./pull-image.ts";
import { requireRoot } from "./root.ts";
import { withRegistry } from "./with-registry.ts";

const STDERR = 2;
/** They end a build, as they end programs. */
const ENDING = [SIG.INT, SIG.TERM, SIG.HUP] as const;

/** What a build needs of registries, and how it is told of. */
function outsideOf(images: string, isQuiet: boolean, isColoured: boolean): Outside {
  return {
    provideImage: async (reference, platform) => {
      await pullReference(images, reference, { platform, progressFd: isQuiet ? undefined : STDERR });
    },
    download: (url, path) => withRegistry(`download ${url}`, ({ around }) => downloadFile(around, url, path)),
    tell: isQuiet ? () => {} : buildTeller({ isColoured }, note),
  };
}

/** Builds an image. A signal ends it, with all that runs for it. */
async function build(request: BuildRequest, isQuiet: boolean, isColoured: boolean): Promise<ImageRecord> {
  const root = stateRoot();
  reconcileStore(root.images);
  const seccomp = { kind: "default" } as const;
  const filter = await filterOf(seccomp, resolveCapabilities({ add: [], drop: [], privileged: false }));
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
      ...outsideOf(root.images, isQuiet, isColoured),
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

export async function run(argv: readonly string[]): Promise<number> {
  const startMs = monotonicMs();
  const request: BuildRequest = {
    context: { kind: "directory", path: argv.at(-1) ?? "." },
    file: undefined,
    names: ["docker.io/library/built:latest"],
    target: undefined,
    buildArgs: {},
    labels: {},
    secrets: {},
    ssh: {},
    contexts: {},
    noCache: argv.includes("--no-cache"),
    pull: false,
    platform: undefined,
    network: "default",
    addHosts: [],
    memoryBytes: undefined,
    shmSizeBytes: undefined,
    rlimits: [],
  };
  requireRoot();
  const { id } = await build(request, false, isTerminal(STDERR));
  line(`Built ${hexOf(id).slice(0, 12)} in ${(monotonicMs() - startMs).toFixed(0)} ms`);
  for (const name of request.names) line(`Tagged ${familiarName(name)}`);
  return 0;
}
