/**
 * `run --dry-run`: the plan, printed; nothing is made.
 */

import { design, imageOf, type PrepareRequest } from "../container/design.ts";
import { newId } from "../container/id.ts";
import { Failure } from "../failure.ts";
import { chooseIdRange } from "../isolation/idmap.ts";
import { O_DIRECTORY, O_PATH, openHost } from "../linux/hostpath.ts";
import { planTree } from "../plan/tree.ts";
import { stringifyExact } from "../spec/json.ts";
import { line } from "../term/output.ts";

export function printPlan(request: PrepareRequest, format: string): number {
  const { root, options } = request;
  if (format !== "tree" && format !== "json") {
    throw new Failure(`unknown format '${format}'`, { hint: "use tree or json" });
  }
  const image = imageOf(root, options);
  using stack = new DisposableStack();
  // Nothing is mounted: users are looked up in the layers, the topmost first.
  const directories =
    image.directory === undefined
      ? image.layers.map((layer) => `${image.layersDirectory}/${layer}`)
      : [image.directory];
  const accountRoots = directories.map((path) => stack.use(openHost(path, O_PATH | O_DIRECTORY)).fd);
  const { plan } = design({
    ...request,
    image,
    id: newId(image.baseName),
    accountRoots,
    ...(options.userns ? { idMap: chooseIdRange() } : {}),
  });
  if (format === "json") line(stringifyExact(plan, 2));
  else for (const text of planTree(plan)) line(text);
  return 0;
}
