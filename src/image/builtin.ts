/**
 * The image that this program brings along: Debian's static busybox, packed when the program was built
 * (tools/busybox-image.mjs).
 */
import { Failure } from "../failure.ts";
import { statusOf } from "../linux/hostpath.ts";
import { besideExecutable } from "../linux/program.ts";
import { importArchive } from "./import.ts";
import { BUILT_IN } from "./reference.ts";

const CONFIG = {
  Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
  Cmd: ["sh"],
} as const;

/** Imports the archive that lies beside the executable. Many may do so at once: all make the same. */
export function loadBuiltIn(images: string): void {
  const path = besideExecutable("busybox.tar");
  const status = statusOf(path);
  if (status === undefined) {
    throw new Failure(`the built-in image is missing: there is no ${path}`, { hint: "'npm run build' makes it" });
  }
  const createdMs = status.modified * 1000;
  importArchive(images, { path, name: BUILT_IN, config: CONFIG, message: "Built in", createdMs });
}
