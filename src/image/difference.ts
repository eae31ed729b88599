/**
 * What a container has changed of its image, entry by entry: the upper directory of its overlay against the layers below
 * (Documentation/filesystems/overlayfs.rst).
 */
import { entriesOf } from "../linux/directory.ts";
import type { Handle } from "../linux/fd.ts";
import { O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY, openHost } from "../linux/hostpath.ts";
import { openEntry, openEntryIfThere } from "../linux/rootpath.ts";
import { type FileStatus, statusOfFd } from "../linux/status.ts";
import { isOpaque } from "./pack.ts";

/** As docker tells it: added, changed, deleted. */
export interface Difference {
  readonly kind: "A" | "C" | "D";
  /** Absolute. */
  readonly path: string;
}

const isWhiteout = ({ type, device }: FileStatus): boolean =>
  type === "character" && device.major === 0 && device.minor === 0;

/** A directory as several layers have it, the topmost first; what hides the rest is the last. */
type Stack = readonly Handle[];

/** What an upper directory changes, in the order of the tree. `layers`: directories, the topmost first; `places`: what is mounted on. */
export function* differencesOf(
  upper: string,
  layers: readonly string[],
  places: readonly string[],
): Generator<Difference> {
  const made = new Set(places);
  using stack = new DisposableStack();
  const top = stack.use(openHost(upper, O_RDONLY | O_DIRECTORY));
  const below = layers.map((path) => stack.use(openHost(path, O_RDONLY | O_DIRECTORY)));
  for (const difference of compare(top, below, "")) {
    // What was made to be mounted on is nobody's change.
    if (difference.kind !== "A" || !made.has(difference.path)) yield difference;
  }
}

function* compare(upper: Handle, below: Stack, path: string): Generator<Difference> {
  const entries = entriesOf(upper.fd, path).sort((one, other) => (one.name < other.name ? -1 : 1));
  // What an opaque directory does not have itself is gone.
  if (below.length > 0 && isOpaque(upper.fd)) {
    const kept = new Set(entries.map(({ name }) => name));
    for (const name of namesOf(below, path)) if (!kept.has(name)) yield { kind: "D", path: `${path}/${name}` };
  }
  for (const { name, isDirectory } of entries) {
    const at = `${path}/${name}`;
    using found = openEntry(upper.fd, name, isDirectory ? O_RDONLY | O_DIRECTORY : O_PATH | O_NOFOLLOW);
    using stack = new DisposableStack();
    const { isThere, directories } = lookUp(below, name, stack);
    if (!isDirectory && isWhiteout(statusOfFd(found.fd, at))) {
      if (isThere) yield { kind: "D", path: at };
      continue;
    }
    yield { kind: isThere ? "C" : "A", path: at };
    if (isDirectory) yield* compare(found, directories, at);
  }
}

/** A name in a directory of several layers: whether it is there, and the directories of that name that are seen. */
function lookUp(
  below: Stack,
  name: string,
  stack: DisposableStack,
): { readonly isThere: boolean; readonly directories: Handle[] } {
  const directories: Handle[] = [];
  let isThere = false;
  for (const parent of below) {
    const found = openEntryIfThere(parent.fd, name, O_PATH | O_NOFOLLOW);
    if (found !== undefined) {
      stack.use(found);
      const status = statusOfFd(found.fd, name);
      if (isWhiteout(status)) break;
      if (status.type !== "directory") return { isThere: true, directories };
      isThere = true;
      directories.push(stack.use(openEntry(parent.fd, name, O_RDONLY | O_DIRECTORY)));
      const [last] = directories.slice(-1);
      if (last !== undefined && isOpaque(last.fd)) break;
    }
    if (isOpaque(parent.fd)) break;
  }
  return { isThere, directories };
}

/** The names in a directory of several layers, sorted. */
function namesOf(below: Stack, path: string): string[] {
  const names = new Map<string, boolean>();
  for (const layer of below) {
    for (const { name } of entriesOf(layer.fd, path)) {
      if (names.has(name)) continue;
      using found = openEntry(layer.fd, name, O_PATH | O_NOFOLLOW);
      names.set(name, !isWhiteout(statusOfFd(found.fd, name)));
    }
    if (isOpaque(layer.fd)) break;
  }
  return [...names].flatMap(([name, isSeen]) => (isSeen ? [name] : [])).sort();
}
