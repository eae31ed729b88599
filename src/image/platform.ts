/**
 * Platforms: what an image is made for (image-spec image-index.md, `platform`). Pure.
 */
import { Failure } from "../failure.ts";
import { type Descriptor, ownArchitecture } from "./manifest.ts";

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  /** Of arm: `v6`, `v7`, `v8`; "" where there is none. */
  readonly variant: string;
}

/** What people, and uname(2), call architectures otherwise. */
const SYNONYMS: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  x86_64: ["amd64"],
  "x86-64": ["amd64"],
  aarch64: ["arm64"],
  armhf: ["arm", "v7"],
  armel: ["arm", "v6"],
  i386: ["386"],
  i686: ["386"],
};
/** What an architecture's variant is when none is told: these two mean the same. */
const USUAL_VARIANT: Readonly<Record<string, string>> = { arm64: "v8", arm: "v7" };
const PART = /^[A-Za-z0-9_.-]{1,64}$/;

/** `linux/arm64/v8`, `linux/amd64`, or an architecture alone. Throws a Failure for what is none. */
export function parsePlatform(text: string): Platform {
  const parts = text.split("/");
  const [first = "", second, variant, ...more] = parts;
  if (more.length > 0 || !parts.every((part) => PART.test(part))) {
    throw new Failure(`bad platform '${text}'`, { hint: "platforms look like linux/amd64 or linux/arm64/v8" });
  }
  const [os, name] = second === undefined ? ["linux", first] : [first.toLowerCase(), second];
  const lower = name.toLowerCase();
  const [architecture, implied = ""] = SYNONYMS[lower] ?? [lower];
  return { os, architecture, variant: (variant ?? implied).toLowerCase() };
}

export function ownPlatform(arch: "x86_64" | "aarch64"): Platform {
  return { os: "linux", architecture: ownArchitecture(arch), variant: "" };
}

export function platformText({ os, architecture, variant = "" }: Partial<Platform>): string {
  return `${os ?? ""}/${architecture ?? ""}${variant === "" ? "" : `/${variant}`}`;
}

const variantOf = ({ architecture, variant = "" }: { architecture: string; variant?: string }): string =>
  variant === "" ? (USUAL_VARIANT[architecture] ?? "") : variant;

/** Whether an image that says this of itself is one for `wanted`. */
export function suits(
  said: { readonly os: string; readonly architecture: string; readonly variant?: string },
  wanted: Platform,
): boolean {
  if (said.os !== wanted.os || said.architecture !== wanted.architecture) return false;
  return variantOf(said) === variantOf(wanted);
}

/**
 * Of an index's descriptors, the one for a platform. Throws a Failure that lists what there is.
 * @param about what the index is known by
 */
export function chooseFor(descriptors: readonly Descriptor[], wanted: Platform, about: string): Descriptor {
  const here = descriptors.filter(({ platform }) => platform !== undefined);
  const exact = here.find(({ platform }) => platform !== undefined && suits(platform, wanted));
  // Who asks for no variant takes any: images for old processors run on new ones.
  const near = here.find(
    ({ platform }) =>
      wanted.variant === "" && platform?.os === wanted.os && platform.architecture === wanted.architecture,
  );
  const chosen = exact ?? near;
  if (chosen !== undefined) return chosen;
  // Attestations are said to be for "unknown/unknown".
  const there = here.flatMap(({ platform }) => (platform?.os === "unknown" ? [] : [platformText(platform ?? {})]));
  throw new Failure(`there is no image of ${about} for ${platformText(wanted)}`, {
    hint: there.length === 0 ? undefined : `there are images for ${[...new Set(there)].join(", ")}`,
  });
}
