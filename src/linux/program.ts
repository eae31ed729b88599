/**
 * What was built together with this executable and lies beside it.
 */
import { variable } from "./environment.ts";
import { readLink } from "./hostpath.ts";

/** Where native/src/seal.rs has noted the executable before it went on in a view of it that has no path. */
const NOTED = "MYCONTAINER_EXECUTABLE";

/** The path of a file that lies beside our executable. */
export function besideExecutable(name: string): string {
  const own = readLink("/proc/self/exe") ?? "";
  // A sealed view is called "/", a sealed copy "/memfd:mycontainer (deleted)".
  const hasPath = own.lastIndexOf("/") > 0;
  const path = hasPath ? own : (variable(NOTED) ?? "");
  return `${path.slice(0, path.lastIndexOf("/"))}/${name}`;
}
