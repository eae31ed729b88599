/**
 * `run` of an image that is not here, or that is to be pulled in any case.
 */
import { Failure } from "../failure.ts";
import { configurationOf } from "../image/inspect.ts";
import { parsePlatform, platformText, suits } from "../image/platform.ts";
import { familiarName, parseReference, storedName } from "../image/reference.ts";
import { note } from "../term/output.ts";
import { pullReference } from "./pull-image.ts";

const STDERR = 2;

export interface PullToRun {
  /** What `--pull` says. */
  readonly policy: string;
  readonly platform: string | undefined;
  readonly isQuiet: boolean;
}

/**
 * Whether the image that is here is for a platform. @param mustBe whether it is a Failure if it is not
 */
export function checkPlatform(images: string, image: string, platform: string, mustBe: boolean): boolean {
  const wanted = parsePlatform(platform);
  const { architecture, os, variant } = configurationOf(images, image);
  if (suits({ architecture, os, variant }, { ...wanted, variant: wanted.variant || variant })) return true;
  if (!mustBe) return false;
  throw new Failure(
    `the image '${image}' here is for ${platformText({ architecture, os, variant })}, not for ${platform}`,
    {
      hint: "leave out --pull never to get the other one from its registry",
    },
  );
}

/** Pulls an image; what is told of that goes to standard error, for standard output is the container's. */
export async function pullToRun(
  images: string,
  image: string,
  { policy, platform, isQuiet }: PullToRun,
): Promise<void> {
  if (policy !== "always" && policy !== "missing") {
    throw new Failure(`unknown value '${policy}' of --pull`, { hint: "use always, missing or never" });
  }
  const reference = parseReference(image);
  const wanted = platform === undefined ? undefined : parsePlatform(platform);
  const name = familiarName(storedName(reference));
  if (!isQuiet && policy === "missing") note(`Unable to find image '${name}' locally`);
  const { digest, isUnchanged } = await pullReference(images, reference, {
    platform: wanted,
    progressFd: isQuiet ? undefined : STDERR,
  });
  if (isQuiet || isUnchanged) return;
  note(`Digest: ${digest}`);
  note(`Status: Downloaded newer image for ${name}`);
}
