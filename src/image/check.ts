/**
 * `system check`: whether the store is what its records say, byte by byte.
 */
import { exists, listDirectory, removeFile, syncDirectory } from "../linux/hostpath.ts";
import { type CacheRecord, listCached } from "./cache-records.ts";
import { type FileSum, sumFiles } from "./codec.ts";
import { settle } from "./garbage.ts";
import { familiarName, hexOf } from "./reference.ts";
import { openStaging } from "./staging.ts";
import { type ImageRecord, listRecords, lockStore, makeStore, recordFile, storePaths } from "./store.ts";

export interface Damage {
  /** The image that is damaged; undefined for what nobody refers to. */
  readonly image: ImageRecord | undefined;
  readonly text: string;
}

export interface Checked {
  readonly images: number;
  readonly blobs: number;
  readonly bytes: number;
  readonly damages: readonly Damage[];
}

const titleOf = ({ name, id }: ImageRecord): string => (name === null ? hexOf(id).slice(0, 12) : familiarName(name));

/**
 * What is wrong with the store. Pure.
 * @param directories names in layers/
 */
export function damagesOf(
  records: readonly ImageRecord[],
  sums: readonly FileSum[],
  directories: readonly string[],
  cached: readonly CacheRecord[] = [],
): Damage[] {
  const found = new Map(sums.map((sum) => [sum.file, sum]));
  const there = new Set(directories);
  const damages: Damage[] = [];
  const referred = new Set<string>();
  for (const image of records) {
    const title = titleOf(image);
    const blobs = [
      ["manifest", image.digest],
      ["configuration", image.id],
      ...image.layers.map(({ blob }, index) => [`layer ${index + 1}`, blob] as const),
    ] as const;
    for (const [what, digest] of blobs) {
      referred.add(hexOf(digest));
      const sum = found.get(hexOf(digest));
      if (sum === undefined) damages.push({ image, text: `${title}: its ${what}, ${digest}, is missing` });
      else if (sum.digest !== digest) damages.push({ image, text: `${title}: its ${what} is not ${digest} any more` });
    }
    image.layers.forEach(({ directory }, index) => {
      referred.add(directory);
      if (!there.has(directory)) damages.push({ image, text: `${title}: layer ${index + 1} is not unpacked` });
    });
  }
  // A step whose layers are damaged is done again: that is nobody's loss, but its blobs must not be taken for whole ones.
  for (const { layers } of cached) {
    for (const { blob, directory } of layers) {
      if (referred.has(hexOf(blob)) && referred.has(directory)) continue;
      for (const name of [hexOf(blob), directory]) referred.add(name);
      const sum = found.get(hexOf(blob));
      if (sum?.digest !== blob)
        damages.push({ image: undefined, text: `the cache of builds has a damaged layer, ${blob}` });
    }
  }
  for (const { file } of sums) {
    if (!referred.has(file)) damages.push({ image: undefined, text: `nobody refers to the blob ${file}` });
  }
  for (const name of directories) {
    if (!referred.has(name)) damages.push({ image: undefined, text: `nobody refers to the layer ${name}` });
  }
  return damages;
}

/** Reads all of the store, while nobody changes it. Throws a Failure for a record that cannot be read. */
export function checkStore(images: string, isRepaired: boolean): Checked {
  makeStore(images);
  const paths = storePaths(images);
  // To read alone takes no room.
  using _place = isRepaired ? openStaging(images) : undefined;
  using _writers = lockStore(images);
  const records = listRecords(images);
  const sums = sumFiles(paths.blobs);
  const directories = listDirectory(paths.layers).map(({ name }) => name);
  const damages = damagesOf(records, sums, directories, listCached(images));
  if (isRepaired && damages.length > 0) {
    const damaged = new Set(damages.flatMap(({ image }) => image ?? []));
    for (const image of damaged) {
      const file = `${paths.references}/${recordFile(image)}`;
      if (exists(file)) removeFile(file);
    }
    for (const { key, layers } of listCached(images)) {
      const isWhole = layers.every(({ blob }) =>
        sums.some(({ file, digest }) => digest === blob && hexOf(digest) === file),
      );
      if (!isWhole) removeFile(`${paths.cache}/${key}`);
    }
    // A blob that is damaged must not be taken for one that is there.
    for (const { file, digest } of sums) if (hexOf(digest) !== file) removeFile(`${paths.blobs}/${file}`);
    syncDirectory(paths.references);
    settle(images);
  }
  const bytes = sums.reduce((sum, { size }) => sum + size, 0);
  return { images: records.length, blobs: sums.length, bytes, damages };
}
