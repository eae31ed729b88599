/**
 * `rename`. The name is kept in a file of its own: the state is its supervisor's to write while a container runs.
 */
import { Failure } from "../failure.ts";
import type { Handle } from "../linux/fd.ts";
import { lock } from "../linux/flock.ts";
import { makeDirectories, O_DIRECTORY, O_RDONLY, openHost, replaceFile } from "../linux/hostpath.ts";
import { currentState } from "./control.ts";
import { containerPaths, type StateRoot } from "./paths.ts";
import { takeName } from "./prepare.ts";
import { releaseName } from "./state.ts";

/** Waits for whoever changes what is known of a container beside its supervisor: names, and limits. */
export function lockNames(root: StateRoot): Handle {
  makeDirectories(root.names);
  const names = openHost(root.names, O_RDONLY | O_DIRECTORY);
  lock(names.fd, root.names);
  return names;
}

/** Gives a container another name; the one before is free then. */
export function renameContainer(root: StateRoot, id: string, name: string): void {
  using _changes = lockNames(root);
  const { name: before } = currentState(root, id);
  if (name === before) throw new Failure(`container '${before}' has that name already`);
  takeName(root, name, id);
  replaceFile(containerPaths(root, id).name, name, { durable: true });
  if (before !== id) releaseName(root, before, id);
}
