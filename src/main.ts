/**
 * The first module: which face is called, by the name that the executable is called by. Nothing else is loaded here.
 */
import { args } from "./linux/door.ts";

const RUNTIME_NAME = "mycontainer-runtime";

const name = args[0] ?? "";
const { main } = name.slice(name.lastIndexOf("/") + 1).startsWith(RUNTIME_NAME)
  ? await import("./oci/main.ts")
  : await import("./cli/main.ts");
await main();
