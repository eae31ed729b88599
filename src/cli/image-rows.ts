/**
 * Images as `images` lists them, and what its filters mean.
 */
import { imageSizeBytes } from "../image/inspect.ts";
import { familiarName, hexOf, repositoryAndTag, repositoryOf } from "../image/reference.ts";
import { findRecord, missingImage } from "../image/resolve.ts";
import type { ImageRecord } from "../image/store.ts";
import { wallClockMs } from "../linux/clock.ts";
import { formatAge, formatSize } from "../term/format.ts";
import type { Expand } from "./aliases.ts";
import { type FilterKinds, globTest, labelTest, parseUntil, truthOf } from "./filters.ts";

const SHORT_ID = 12;
const NONE = "<none>";

export const IMAGE_TITLES = { ID: "IMAGE ID", CreatedSince: "CREATED", CreatedAt: "CREATED AT" } as const;

/** An image under one of its names. Pure. */
export function imageRow(record: ImageRecord, now: number, isWhole: boolean) {
  const [repository, tag] = record.name === null ? [NONE, NONE] : repositoryAndTag(record.name);
  const created = record.createdMs;
  return {
    Repository: repository,
    Tag: tag,
    Digest: record.digest,
    ID: isWhole ? record.id : hexOf(record.id).slice(0, SHORT_ID),
    CreatedAt: created === 0 ? "N/A" : new Date(created).toISOString(),
    CreatedSince: created === 0 ? "N/A" : `${formatAge(now - created)} ago`,
    Size: formatSize(imageSizeBytes(record), 1000),
  };
}

function createdOf(images: string, name: string): number {
  const record = findRecord(images, name);
  if (record === undefined) throw missingImage(name);
  return record.createdMs;
}

/** docker's filters. Images that a filter names are looked up. */
export function imageFilters(images: string, expand: Expand): FilterKinds<ImageRecord> {
  return {
    dangling: {
      test: (value) => {
        const isWanted = truthOf(value, "dangling");
        return ({ name }) => (name === null) === isWanted;
      },
    },
    label: {
      all: true,
      test: (value) => {
        const test = labelTest(value);
        return ({ config }) => test(config.Labels ?? {});
      },
    },
    before: {
      test: (value) => {
        const then = createdOf(images, expand(value));
        return ({ createdMs }) => createdMs < then;
      },
    },
    since: {
      test: (value) => {
        const then = createdOf(images, expand(value));
        return ({ createdMs }) => createdMs > then;
      },
    },
    until: {
      test: (value) => {
        const then = parseUntil(value, wallClockMs());
        return ({ createdMs }) => createdMs < then;
      },
    },
    reference: {
      test: (value) => {
        const matches = globTest(value);
        return ({ name }) =>
          name !== null &&
          [name, familiarName(name), repositoryOf(name), repositoryOf(familiarName(name))].some(matches);
      },
    },
  };
}
