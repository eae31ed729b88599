/**
 * `RUN --mount=type=cache`: directories that outlive builds. Who has one that is not to be shared holds the lock beside it.
 */

import { Failure } from "../failure.ts";
import { cacheMountsOf } from "../image/cache-records.ts";
import { attempt, call } from "../linux/error.ts";
import { AT_FDCWD, type Handle } from "../linux/fd.ts";
import { lock, tryLock } from "../linux/flock.ts";
import { exists, makeDirectories, O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR, openHost } from "../linux/hostpath.ts";
import { closeFromBut, exit, exitCodeOf, fork, PR, prctl } from "../linux/process.ts";
import { SIG } from "../linux/signal.ts";
import { endOf } from "./child-end.ts";
import { copyOf } from "./copy-out.ts";
import type { RunMount } from "./instruction.ts";
import { stepKey } from "./key.ts";
import type { Site } from "./site.ts";
import type { Sources } from "./sources.ts";
import { findSources } from "./tree.ts";

const CACHE_MODE = 0o755;
const RENAME_NOREPLACE = 1;

type CacheMount = Extract<RunMount, { type: "cache" }>;

/** Where a cache is that all who name it have. */
export function cachePath({ root }: Site, { id }: CacheMount, target: string): string {
  return `${cacheMountsOf(root.images)}/${stepKey(["cache-mount", id ?? target])}`;
}

/** Who uses a cache that is not to be shared waits within this process; another process is waited for by its lock. */
const turns = new WeakMap<Site, Map<string, Promise<void>>>();

/**
 * Waits until nobody else has some caches; the stack gives them back. All are taken at once, in an order that is the same for
 * everybody: no two steps can wait for each other.
 */
export async function takeTurns(site: Site, paths: readonly string[], stack: DisposableStack): Promise<void> {
  if (paths.length > 0) makeDirectories(cacheMountsOf(site.root.images));
  for (const path of [...new Set(paths)].sort()) await takeTurn(site, path, stack);
}

async function takeTurn(site: Site, path: string, stack: DisposableStack): Promise<void> {
  const queues = turns.get(site) ?? new Map<string, Promise<void>>();
  turns.set(site, queues);
  const before = queues.get(path);
  let leave = (): void => {};
  queues.set(
    path,
    new Promise((resolve) => {
      leave = resolve;
    }),
  );
  stack.defer(() => leave());
  await before;
  await lockMeanwhile(site, stack.use(openHost(`${path}.lock`, O_RDWR | O_CREAT)), path);
}

/**
 * Waits for a lock while other stages go on, and signals are heard. It is a child that waits; the lock is that of the open file,
 * which is ours as well (flock(2)).
 */
async function lockMeanwhile(site: Site, held: Handle, path: string): Promise<void> {
  if (tryLock(held.fd, path)) return;
  const child = fork();
  if (child === undefined) {
    prctl(PR.setPdeathsig, SIG.KILL);
    closeFromBut(0, [held.fd]);
    try {
      lock(held.fd, path);
      exit(0);
    } finally {
      exit(1);
    }
  }
  using _pidfd = child.pidfd;
  if (exitCodeOf(await endOf(site, child)) !== 0) throw new Failure("waiting for a cache was ended");
}

/** The directory of a cache, made if need be; one that is locked is the caller's already. */
export async function openCache(
  site: Site,
  sources: Sources,
  request: CacheMount,
  target: string,
  stack: DisposableStack,
): Promise<string> {
  makeDirectories(cacheMountsOf(site.root.images));
  const shared = cachePath(site, request, target);
  const path = request.sharing === "private" ? privateCache(shared, stack) : shared;
  if (!exists(path)) await makeCache(site, sources, request, path);
  return path;
}

/** The first of a cache's directories that nobody has. */
function privateCache(shared: string, stack: DisposableStack): string {
  for (let index = 0; ; index++) {
    const path = `${shared}.${index}`;
    const held = openHost(`${path}.lock`, O_RDWR | O_CREAT);
    if (tryLock(held.fd, path)) {
      stack.use(held);
      return path;
    }
    held.close();
  }
}

/** A new cache begins with what `from` and `source` name. */
async function makeCache(site: Site, sources: Sources, request: CacheMount, path: string): Promise<void> {
  let fresh = site.staging.newDirectory();
  if (request.from !== undefined) {
    const tree = await sources.tree(request.from);
    const [found] = findSources(tree, request.source);
    if (found?.status.type === "directory") fresh = copyOf(site.staging, tree, found);
  }
  using made = openHost(fresh, O_RDONLY | O_DIRECTORY);
  call("fchown", fresh, made.fd, request.uid ?? 0, request.gid ?? 0);
  call("fchmod", fresh, made.fd, request.mode ?? CACHE_MODE);
  // Another step may have made it meanwhile.
  attempt("renameat2", AT_FDCWD, fresh, AT_FDCWD, path, RENAME_NOREPLACE);
}
