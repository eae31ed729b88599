/**
 * `rmi` and `tag`: names come and go; an image goes with its last name.
 */
import { Failure } from "../failure.ts";
import { isErrno, KernelError } from "../linux/error.ts";
import { syncDirectory } from "../linux/hostpath.ts";
import { dropAside, putBack, setAside } from "./aside.ts";
import { writeRecords } from "./commit.ts";
import { settle } from "./garbage.ts";
import { nameOf } from "./import.ts";
import { familiarName } from "./reference.ts";
import { findRecord, missingImage } from "./resolve.ts";
import { openStaging, type Staging } from "./staging.ts";
import { type ImageRecord, listRecords, lockStore, storeFailure, storePaths } from "./store.ts";

const ENOSPC = 28;

/** Writes records, each replacing the one of its name. */
type Writer = (records: readonly ImageRecord[]) => void;

/** A container that is made of an image. */
export interface ImageUser {
  readonly container: string;
  /** Of the image's manifest. */
  readonly digest: string;
}

export type Removal =
  | { readonly kind: "untagged"; readonly name: string }
  /** A container needs it still: it has no name any more. */
  | { readonly kind: "kept"; readonly id: string }
  | { readonly kind: "deleted"; readonly id: string };

export interface RemovalPlan {
  readonly records: readonly ImageRecord[];
  /** What goes on under its id. */
  readonly keep: ImageRecord | undefined;
  readonly tells: readonly Removal[];
}

/** What is to be done to remove an image by a name or by an id. Pure. Throws a Failure if that needs force. */
export function planRemoval(
  text: string,
  chosen: ImageRecord,
  all: readonly ImageRecord[],
  users: readonly ImageUser[],
  force: boolean,
): RemovalPlan {
  const image = all.filter(({ id }) => id === chosen.id);
  const byName = chosen.name !== null && !isIdOf(text, chosen);
  const records = byName ? [chosen] : image;
  if (!byName && records.length > 1 && !force) {
    const names = records.flatMap(({ name }) => (name === null ? [] : [familiarName(name)]));
    throw new Failure(`image '${text}' has several names: ${names.join(", ")}`, {
      hint: "remove it by one of them, or all with --force",
    });
  }
  const untagged = records.flatMap(({ name }) => (name === null ? [] : [{ kind: "untagged", name } as const]));
  if (records.length < image.length) return { records, keep: undefined, tells: untagged };
  const user = users.find(({ digest }) => image.some((record) => record.digest === digest));
  if (user === undefined) return { records, keep: undefined, tells: [...untagged, { kind: "deleted", id: chosen.id }] };
  if (!force || untagged.length === 0) {
    throw new Failure(`image '${text}' is used by container '${user.container}'`, {
      hint: `remove the container first: mycontainer rm -f ${user.container}`,
    });
  }
  const keep = { ...chosen, name: null };
  return { records, keep, tells: [...untagged, { kind: "kept", id: chosen.id }] };
}

function isIdOf(text: string, { id }: ImageRecord): boolean {
  return id.startsWith(text.startsWith("sha256:") ? text : `sha256:${text}`);
}

/** A place for what is not finished; undefined on a disk without room for it. */
function openIfRoom(images: string): Staging | undefined {
  try {
    return openStaging(images);
  } catch (error) {
    if (isErrno(error, "ENOSPC", "EDQUOT")) return undefined;
    throw error;
  }
}

/**
 * Changes the records under the lock; a place in `staging/` stands for what is not finished.
 * @param kind a removal is done on a full disk as well, where there is no such place: it makes room
 */
function change<T>(images: string, kind: "addition" | "removal", action: (write: Writer) => T): T {
  try {
    using staging = kind === "removal" ? openIfRoom(images) : openStaging(images);
    using _writers = lockStore(images);
    const { references } = storePaths(images);
    try {
      const result = action((records) => {
        if (staging === undefined) throw new KernelError("write", ENOSPC, references);
        writeRecords(images, staging, records);
      });
      settle(images, kind === "removal" ? "go on" : "fail");
      return result;
    } catch (error) {
      putBack(images);
      throw error;
    }
  } catch (error) {
    throw storeFailure(images, error);
  }
}

/**
 * Removes an image, or one of its names. Throws a Failure if it is not here, or a container uses it. It works on a full disk
 * as well: to remove images is what helps there.
 * @param options.users tells all containers, whatever they are made of; it waits for those that are just being made
 */
export function removeImage(
  images: string,
  text: string,
  options: { readonly force: boolean; readonly users: () => readonly ImageUser[] },
): readonly Removal[] {
  if (findRecord(images, text) === undefined) throw missingImage(text);
  return change(images, "removal", (write) => {
    const chosen = findRecord(images, text);
    if (chosen === undefined) throw missingImage(text);
    const all = listRecords(images);
    const plan = (): RemovalPlan => planRemoval(text, chosen, all, options.users(), options.force);
    const { records } = plan();
    setAside(images, records);
    // What was found before that is a container by now, and decides whether the image can go.
    const { keep, tells } = plan();
    if (keep !== undefined) write([keep]);
    dropAside(images, records);
    syncDirectory(storePaths(images).references);
    return tells;
  });
}

/** Gives an image one more name. */
export function tagImage(images: string, text: string, newName: string): void {
  const name = nameOf(newName);
  if (findRecord(images, text) === undefined) throw missingImage(text);
  change(images, "addition", (write) => {
    const record = findRecord(images, text);
    if (record === undefined) throw missingImage(text);
    write([{ ...record, name }]);
  });
}
