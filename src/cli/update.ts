/**
 * `mycontainer update`.
 */
import { updateContainer } from "../container/update.ts";
import { Failure } from "../failure.ts";
import { parseFlags, text } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { forEach } from "./each.ts";
import { emitter } from "./run.ts";
import { limitsOf } from "./run-options.ts";

const FLAGS = {
  "blkio-weight": text("", "WEIGHT", "Share of disk bandwidth, 10 to 1000"),
  "cpu-period": text("", "MICROSECONDS", "Period that --cpu-quota is of"),
  "cpu-quota": text("", "MICROSECONDS", "CPU time in each period"),
  "cpu-shares": text("c", "SHARES", "Share of CPU time where it is short; 1024 is one share"),
  cpus: text("", "CORES", "CPU time in cores, as in 0.5; 0 is no limit"),
  "cpuset-cpus": text("", "LIST", "Cores to run on, as in 0-3,7"),
  "cpuset-mems": text("", "LIST", "Memory nodes to use"),
  memory: text("m", "SIZE", "Memory limit, as in 512m; 0 is no limit"),
  "memory-reservation": text("", "SIZE", "Memory that is kept for it when memory is short"),
  "memory-swap": text("", "SIZE", "Limit of memory and swap together; -1 is no limit of swap"),
  "pids-limit": text("", "NUMBER", "Number of processes; 0 or -1 is no limit"),
} as const;

export function run(argv: readonly string[]): number {
  if (isHelp(argv, FLAGS)) {
    return printHelp("update", "[FLAGS] CONTAINER...", "Changes limits of containers, whether they run or not.", FLAGS);
  }
  const { flags, rest } = parseFlags("update", FLAGS, argv);
  for (const other of ["cpu-quota", "cpu-period"] as const) {
    if (flags.cpus !== undefined && flags[other] !== undefined) {
      throw new Failure(`--cpus and --${other} contradict each other`, {
        hint: "say it with --cpus alone, or with --cpu-period and --cpu-quota",
      });
    }
  }
  const change = limitsOf(flags);
  if (Object.keys(change).length === 0) {
    throw new Failure("'update' needs a limit to be changed", { hint: "as in: mycontainer update --memory 1g web" });
  }
  return forEach("update", rest, (root, id) => {
    updateContainer(root, id, change, emitter(true));
    return undefined;
  });
}
