/**
 * Groups of commands, as docker has them: `image ls` is `images`.
 */
import { Failure } from "../failure.ts";
import { line } from "../term/output.ts";
import type { Command } from "./command.ts";
import { type PruneKind, runPrune } from "./prune.ts";

export type Group = "image" | "container" | "network" | "volume" | "builder";

/** By group: what a command of it is called on its own. */
const ALIASES: Readonly<Record<Group, Readonly<Record<string, string>>>> = {
  image: {
    build: "build",
    ls: "images",
    list: "images",
    rm: "rmi",
    remove: "rmi",
    history: "history",
    import: "import",
    inspect: "inspect",
    load: "load",
    pull: "pull",
    push: "push",
    save: "save",
    tag: "tag",
  },
  container: {
    ls: "ps",
    list: "ps",
    ps: "ps",
    attach: "attach",
    commit: "commit",
    cp: "cp",
    create: "create",
    diff: "diff",
    exec: "exec",
    export: "export",
    inspect: "inspect",
    kill: "kill",
    logs: "logs",
    pause: "pause",
    port: "port",
    rename: "rename",
    restart: "restart",
    rm: "rm",
    run: "run",
    start: "start",
    stats: "stats",
    stop: "stop",
    top: "top",
    unpause: "unpause",
    update: "update",
    wait: "wait",
  },
  network: {},
  volume: {},
  builder: { build: "build" },
};

/** Commands that a group has of its own. */
const OWN: Readonly<Record<Group, Readonly<Record<string, () => Promise<Command>>>>> = {
  image: {},
  container: {},
  builder: {},
  network: {
    ls: async () => ({ run: (await import("./network.ts")).runList }),
    list: async () => ({ run: (await import("./network.ts")).runList }),
    inspect: async () => ({ run: (await import("./network.ts")).runInspect }),
  },
  volume: {
    create: async () => ({ run: (await import("./volume.ts")).runCreate }),
    ls: async () => ({ run: (await import("./volume.ts")).runList }),
    list: async () => ({ run: (await import("./volume.ts")).runList }),
    inspect: async () => ({ run: (await import("./volume.ts")).runInspect }),
    rm: async () => ({ run: (await import("./volume.ts")).runRemove }),
    remove: async () => ({ run: (await import("./volume.ts")).runRemove }),
  },
};

const namesOf = (group: Group): string[] =>
  [...Object.keys(ALIASES[group]), ...Object.keys(OWN[group]), "prune"].sort();

/** What a command of a group stands for: another command, or `prune`. Throws a Failure. Pure. */
export function aliasOf(group: Group, command: string | undefined): string {
  const known = ALIASES[group];
  if (command === "prune") return "prune";
  if (command !== undefined && Object.hasOwn(known, command)) return known[command] ?? "";
  const names = namesOf(group);
  throw new Failure(command === undefined ? `'${group}' needs a command` : `unknown command '${group} ${command}'`, {
    hint: `there ${names.length === 1 ? "is" : "are"} ${names.join(", ")}`,
  });
}

/** @param runCommand runs a command by its name, and gives its exit status */
export async function runGroup(
  group: Group,
  argv: readonly string[],
  runCommand: (name: string, argv: readonly string[]) => Promise<number>,
): Promise<number> {
  const [command, ...rest] = argv;
  if (command === "--help" || command === "-h") {
    line(`Usage: mycontainer ${group} COMMAND [FLAGS] ...`);
    line("");
    line(`Commands: ${namesOf(group).join(", ")}`);
    return 0;
  }
  const own = Object.hasOwn(OWN[group], command ?? "") ? await OWN[group][command ?? ""]?.() : undefined;
  if (own !== undefined) return own.run(rest);
  const name = aliasOf(group, command);
  return name === "prune" ? runPrune(group satisfies PruneKind, rest) : runCommand(name, rest);
}
