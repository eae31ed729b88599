/**
 * A plain directory of the host in place of an image: the root as it is, with no store and no configuration.
 */
import { Failure } from "../failure.ts";
import { statusOf } from "../linux/hostpath.ts";
import type { ResolvedImage } from "./resolve.ts";

/** Takes a directory for an image, by its absolute path. Throws a Failure if it is none. */
export function directoryImage(path: string): ResolvedImage {
  const type = statusOf(path)?.type;
  if (type !== "directory") {
    throw new Failure(`'${path}' is no directory${type === undefined ? ": there is nothing of that name" : ""}`, {
      hint: "--rootfs takes the root directory of a system, as in: mycontainer run --rootfs ./root /bin/sh",
    });
  }
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  return {
    name: path,
    baseName: parts.at(-1) ?? "root",
    digest: "",
    id: "",
    config: {},
    layersDirectory: "",
    layers: [],
    directory: path,
  };
}
