/**
 * Containers that are there and do not run: made by `create`, or ended. They are made again from what they were asked for, with what
 * they have written.
 */
import { Failure } from "../failure.ts";
import { directoryImage } from "../image/directory.ts";
import { type ResolvedImage, resolveRecord } from "../image/resolve.ts";
import { listRecords } from "../image/store.ts";
import type { HostRange } from "../isolation/idmap.ts";
import type { SeccompChoice } from "../isolation/seccomp/filter.ts";
import { readText, readTextIfThere, removeFile } from "../linux/hostpath.ts";
import type { Spec } from "../spec/config.ts";
import { parseConfig } from "../spec/parse-config.ts";
import { attend, leave } from "./attendance.ts";
import type { PrepareRequest } from "./design.ts";
import type { Emit } from "./events.ts";
import { holdState } from "./hold.ts";
import type { RunOptions } from "./options.ts";
import { containerPaths, type StateRoot } from "./paths.ts";
import { equip, type Prepared, prepare } from "./prepare.ts";
import type { Saved } from "./saved-text.ts";
import { type ContainerState, writeState } from "./state.ts";

/** Makes a container that does not run yet. Returns its id. */
export function createContainer(request: PrepareRequest, emit: Emit): string {
  const attendance = attend(request.root);
  const { state, lock, rootMount } = prepare({ ...request, keepsRoot: true }, emit);
  writeState(request.root, { ...state, status: "created", hasNetwork: false }, { durable: true });
  rootMount.close();
  lock.close();
  leave(attendance);
  return state.id;
}

/** What a container was asked for. Throws a Failure if that was not kept. */
export function readSaved(root: StateRoot, { id, name }: Pick<ContainerState, "id" | "name">): Saved {
  const text = readTextIfThere(containerPaths(root, id).options);
  if (text === undefined) {
    throw new Failure(`container '${name}' cannot be started again: it is removed at its end`, {
      hint: "run a new one, without --rm",
    });
  }
  // Ours, written by `run` or `create`.
  return JSON.parse(text) as Saved;
}

/** How a container is started that is there: its own options, but for what the command line says of streams. */
export interface Again {
  readonly id: string;
  readonly options: RunOptions;
  readonly defaults: Saved["defaults"];
  readonly seccomp: SeccompChoice;
}

export interface Streams {
  /** Whether it is to run in the foreground. */
  readonly attach: boolean;
  /** Whether standard input is passed on, where it was to be at first. */
  readonly interactive: boolean;
}

export function planAgain(root: StateRoot, state: ContainerState, streams: Streams): Again {
  const { options, defaults, terminal, interactive } = readSaved(root, state);
  return {
    id: state.id,
    options: {
      ...options,
      detach: !streams.attach,
      tty: terminal,
      interactive: streams.attach ? streams.interactive && interactive : interactive,
      remove: state.removeAtEnd,
    },
    defaults,
    seccomp: seccompOf(state, specOf(root, state.id)),
  };
}

const specOf = (root: StateRoot, id: string): Spec => parseConfig(readText(containerPaths(root, id).config));

function seccompOf({ seccomp }: ContainerState, spec: Spec): SeccompChoice {
  const profile = spec.linux?.seccomp;
  return seccomp === "profile" && profile !== undefined
    ? { kind: "profile", profile }
    : { kind: seccomp === "none" ? "none" : "default" };
}

function idMapOf(spec: Spec): HostRange | undefined {
  const [map] = spec.linux?.uidMappings ?? [];
  return map === undefined ? undefined : { hostID: map.hostID, size: map.size };
}

function formerImage(root: StateRoot, state: ContainerState, { rootfs, image }: RunOptions): ResolvedImage {
  if (rootfs) return directoryImage(image);
  const record = listRecords(root.images).find(({ digest }) => digest === state.imageDigest);
  if (record === undefined) throw new Failure(`the image of container '${state.name}', ${image}, is not here any more`);
  return resolveRecord(root.images, record, state.image);
}

/** As `prepare`, of a container that is there. Throws a Failure if it runs. */
export function prepareAgain(root: StateRoot, again: Again, emit: Emit): Prepared {
  const { id, options } = again;
  using stack = new DisposableStack();
  const { state, lock } = holdState(root, id);
  if (lock === undefined) {
    throw new Failure(`container '${state.name}' is running`, { hint: "'mycontainer restart' ends it first" });
  }
  stack.use(lock);
  const paths = containerPaths(root, id);
  emit({ kind: "creating", id });
  const idMap = idMapOf(specOf(root, id));
  // The code of its last end is nobody's any more.
  removeFile(paths.exit);
  const ground = {
    ...again,
    root,
    image: formerImage(root, state, options),
    keepsRoot: true,
    ...(idMap === undefined ? {} : { idMap }),
  };
  const prepared = equip(ground, { name: state.name, lock, former: state }, stack, emit);
  stack.move();
  return prepared;
}
