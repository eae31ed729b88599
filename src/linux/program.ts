/**
 * What was built together with this executable and lies beside it.
 */
import { environ } from "./door.ts";
import { readLink } from "./hostpath.ts";

/** Where native/src/seal.rs has noted the executable before it went on in a view of it that has no path. */
const NOTED = "MYCONTAINER_EXECUTABLE=";

/** The path of a file that lies beside our executable. */
export function besideExecutable(name: string): string {
  const own = readLink("/proc/self/exe") ?? "";
  // A sealed view is called "/", a sealed copy "/memfd:mycontainer (deleted)".
  const hasPath = own.lastIndexOf("/") > 0;
  const path = hasPath ? own : (environ.find((entry) => entry.startsWith(NOTED))?.slice(NOTED.length) ?? "");
  return `${path.slice(0, path.lastIndexOf("/"))}/${name}`;
}
