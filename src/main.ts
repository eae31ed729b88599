/**
 * The first module: nothing is loaded here but what every command needs.
 */
import { main } from "./cli/main.ts";

await main();
