/**
 * The image of a container that is about to be made.
 */
import { prepareStore } from "../image/resolve.ts";
import type { RunFlags } from "./run-options.ts";

/** Has the image in the store, if need be from its registry. That costs nothing where it is there already. */
export async function provideImage(images: string, image: string, flags: RunFlags): Promise<void> {
  const policy = flags.pull ?? "missing";
  const isHere = (await prepareStore(images, image)) && (await isForPlatform(images, image, flags));
  if (policy === "never" || (policy === "missing" && isHere)) return;
  const { pullToRun } = await import("./pull-to-run.ts");
  await pullToRun(images, image, { policy, platform: flags.platform, isQuiet: flags.quiet === true });
}

/** Whether the image that is here is one for the platform that is asked for. */
async function isForPlatform(images: string, image: string, { platform, pull }: RunFlags): Promise<boolean> {
  if (platform === undefined) return true;
  const { checkPlatform } = await import("./pull-to-run.ts");
  return checkPlatform(images, image, platform, pull === "never");
}
