/**
 * The help of `run`: loaded only to be shown.
 */
import { describeFlag, type Flag } from "../term/flags.ts";
import { line } from "../term/output.ts";
import { RUN_FLAGS } from "./run-flags.ts";

/** What a flag takes, and what it is for; a flag that is on or off takes nothing. */
type FlagHelp = readonly [placeholder: string, text: string];

export const RUN_HELP: Readonly<Record<string, { readonly [Name in keyof typeof RUN_FLAGS]?: FlagHelp }>> = {
  Container: {
    name: ["NAME", "Name of the container"],
    hostname: ["NAME", "Host name (the default is the id)"],
    domainname: ["NAME", "NIS domain name"],
    detach: ["", "Run in the background and print the id"],
    rm: ["", "Remove it at its end (the default in the foreground)"],
    init: ["", "Run an init that passes signals on and reaps processes"],
    interactive: ["", "Pass standard input on"],
    tty: ["", "Give it a terminal"],
    platform: ["OS/ARCH", "If the image is pulled: which of those under its name"],
    pull: ["always|missing|never", "When the image is pulled from its registry (missing)"],
    quiet: ["", "Print no progress"],
    cidfile: ["FILE", "Write the container's id to a file"],
    label: ["NAME=VALUE", "Set a label"],
    "label-file": ["FILE", "Read labels from a file"],
  },
  Program: {
    entrypoint: ["COMMAND", "Command in place of the image's entrypoint"],
    env: ["NAME=VALUE", "Set an environment variable"],
    "env-file": ["FILE", "Read environment variables from a file"],
    workdir: ["PATH", "Working directory"],
    user: ["USER[:GROUP]", "User, by name or number"],
    "group-add": ["GROUP", "Add a group to the user's"],
    ulimit: ["NAME=SOFT[:HARD]", "Set a resource limit"],
    "stop-signal": ["SIGNAL", "Signal that asks it to end"],
    "stop-timeout": ["SECONDS", "Time to end before it is killed"],
    timeout: ["SECONDS", "Kill it after this time"],
    "sig-proxy": ["", "Pass signals on to it (the default)"],
    "oom-score-adj": ["SCORE", "How readily it is killed when memory runs out, -1000 to 1000"],
  },
  Health: {
    "health-cmd": [
      "COMMAND",
      "Command for its shell that tells whether it is healthy, in place of the image's; none is none",
    ],
    "health-interval": ["TIME", "Time between checks, as in 1m30s (the default is 30s)"],
    "health-timeout": ["TIME", "How long a check may take (the default is 30s)"],
    "health-retries": ["NUMBER", "Failures in a row that make it unhealthy (the default is 3)"],
    "health-start-period": ["TIME", "Time after the start in which failures do not count"],
    "health-start-interval": ["TIME", "Time between checks in that period (the default is 5s)"],
    "no-healthcheck": ["", "Do not check, though the image asks for it"],
  },
  Limits: {
    memory: ["SIZE", "Memory limit, as in 512m; 0 is no limit (the default is 512m)"],
    "memory-swap": ["SIZE", "Limit of memory and swap together; -1 is no limit of swap"],
    "memory-reservation": ["SIZE", "Memory that is kept for it when memory is short"],
    "memory-swappiness": ["0-100", "How readily it is swapped out"],
    "oom-kill-disable": ["", "Stop it, and do not kill it, when memory runs out"],
    cpus: ["CORES", "CPU time in cores, as in 0.5; 0 is no limit (the default is 0.5)"],
    "cpu-shares": ["SHARES", "Share of CPU time where it is short; 1024 is one share"],
    "cpu-period": ["MICROSECONDS", "Period that --cpu-quota is of"],
    "cpu-quota": ["MICROSECONDS", "CPU time in each period"],
    "cpuset-cpus": ["LIST", "Cores to run on, as in 0-3,7"],
    "cpuset-mems": ["LIST", "Memory nodes to use"],
    "pids-limit": ["NUMBER", "Number of processes; 0 or -1 is no limit (the default is 2048)"],
    "blkio-weight": ["WEIGHT", "Share of disk bandwidth, 10 to 1000"],
  },
  "Files and devices": {
    volume: ["[SOURCE:]PATH[:ro]", "Mount a directory of the host, or a volume"],
    mount: ["type=...,target=...", "Mount a directory, volume or tmpfs"],
    tmpfs: ["PATH[:OPTIONS]", "Mount a tmpfs"],
    "read-only": ["", "Make the root file system read-only"],
    rootfs: ["", "The first word is no image but a directory of the host: the root as it is"],
    "shm-size": ["SIZE", "Size of /dev/shm (the default is 64m)"],
    device: ["HOST[:PATH[:rwm]]", "Give access to a device of the host"],
    "device-cgroup-rule": ["'TYPE MAJOR:MINOR ACCESS'", "Allow other devices, as in 'c 10:* rw'"],
  },
  Network: {
    network: ["bridge|none|host|container:NAME", "Network"],
    publish: ["[[ADDRESS:]HOST:]PORT[/udp]", "Make a port reachable on the host"],
    "publish-all": ["", "Make all ports that it listens on reachable, on free ports of the host"],
    expose: ["PORT[/udp]", "Say that it listens on a port, as its image does"],
    ip: ["ADDRESS", "Address in the network"],
    "mac-address": ["ADDRESS", "Link address, as in 02:42:ac:10:00:02"],
    "add-host": ["NAME:ADDRESS", "Add a line to /etc/hosts"],
    dns: ["ADDRESS", "Name server"],
    "dns-search": ["DOMAIN", "Domain to search names in"],
    "dns-option": ["OPTION", "Option of resolv.conf"],
  },
  "Isolation and privileges": {
    "cap-add": ["CAPABILITY", "Add a capability"],
    "cap-drop": ["CAPABILITY", "Take a capability away"],
    privileged: ["", "Give all capabilities and devices: root in it is root of the host"],
    "security-opt": ["OPTION", "no-new-privileges, seccomp=FILE, apparmor=, label=, systempaths=unconfined"],
    userns: ["auto|host", "User ids of its own: its root is not root of the host"],
    pid: ["private|host|container:NAME", "PID namespace"],
    ipc: ["private|host|container:NAME", "IPC namespace"],
    uts: ["private|host", "UTS namespace"],
    cgroupns: ["host|private", "Cgroup namespace"],
    sysctl: ["NAME=VALUE", "Set a kernel parameter of its namespaces"],
  },
  "To see what is done": {
    "dry-run": ["", "Print the plan, and touch nothing"],
    format: ["tree|json", "How --dry-run prints the plan"],
    trace: ["", "Print every kernel call that is made for it"],
  },
};

/** The help as lines: a headline for each group, and all flags in the same columns. */
export function runHelpLines(
  command = "run",
  about = "Makes a container and runs a command in it.",
  without: readonly string[] = [],
): string[] {
  const groups = Object.entries(RUN_HELP).map(([title, flags]) => ({
    title,
    rows: Object.entries(flags).flatMap(([name, [placeholder, help]]) => {
      const flag: Flag = RUN_FLAGS[name as keyof typeof RUN_FLAGS];
      return without.includes(name) ? [] : [[describeFlag(name, flag.short, placeholder), help] as const];
    }),
  }));
  const shown = groups.filter(({ rows }) => rows.length > 0);
  const width = Math.max(...shown.flatMap(({ rows }) => rows.map(([left]) => left.length))) + 2;
  return [
    `Usage: mycontainer ${command} [FLAGS] IMAGE [COMMAND] [ARGUMENT...]`,
    "",
    about,
    ...shown.flatMap(({ title, rows }) => ["", `${title}:`, ...rows.map(([left, help]) => left.padEnd(width) + help)]),
  ];
}

/** Prints the help; returns the exit status. */
export function printRunHelp(...about: Parameters<typeof runHelpLines>): number {
  for (const text of runHelpLines(...about)) line(text);
  return 0;
}
