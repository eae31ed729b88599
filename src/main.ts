/**
 * The first module: which face is called, by the name that the executable is called by. The host calls `main` when the
 * process starts; all modules have been evaluated at build time then (native/src/snapshot.rs).
 */
import * as engine from "./cli/main.ts";
import { args, enterProcess } from "./linux/door.ts";
import * as runtime from "./oci/main.ts";

/** native/src/entry.rs knows them, too. */
const RUNTIME_NAME = "mycontainer-runtime";
const STANDS_IN_FOR = "runc";

function isRuntime(name: string): boolean {
  return name.startsWith(RUNTIME_NAME) || name === STANDS_IN_FOR;
}

export function main(): void | Promise<void> {
  enterProcess();
  const name = args[0] ?? "";
  const face = isRuntime(name.slice(name.lastIndexOf("/") + 1)) ? runtime : engine;
  return face.main();
}
