/**
 * `mycontainer info`, `mycontainer system info`.
 */
import { stateRoot } from "../container/paths.ts";
import { listVolumes } from "../container/volumes.ts";
import { Failure } from "../failure.ts";
import { listRecords } from "../image/store.ts";
import type { RegistrySettings } from "../registry/settings.ts";
import { parseFlags, text } from "../term/flags.ts";
import { formatMebibytes } from "../term/format.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { VERSION } from "../term/version.ts";
import { readAliasTable } from "./aliases.ts";
import { readConfigFiles, readRegistrySettings } from "./config-file.ts";
import { filesystemName, type HostFacts, hostFacts } from "./host-facts.ts";
import { inspectionIn } from "./inspections.ts";
import { currentStates } from "./ps.ts";
import { requireRoot } from "./root.ts";

const FLAGS = {
  format: text("f", "json|TEMPLATE", "How it is shown; templates are Go's, as in '{{.Images}}'"),
} as const;

/** What is counted and set up here. */
interface OwnFacts {
  readonly root: string;
  readonly filesystem: string;
  readonly running: number;
  readonly ended: number;
  readonly images: number;
  readonly volumes: number;
  readonly settings: RegistrySettings;
  readonly aliases: ReadonlyMap<string, string>;
  readonly configFiles: readonly string[];
}

/** What containers will have to be without. Pure. */
export function warningsOf({ cgroups, hasOverlay, seccomp }: HostFacts): string[] {
  const controllers = new Set([...cgroups.v1, ...cgroups.v2]);
  const missing = ["memory", "cpu", "pids"].filter((name) => !controllers.has(name));
  return [
    ...missing.map((name) => `no controller '${name}' of cgroups: its limits are not enforced`),
    ...(hasOverlay
      ? []
      : ["no file system 'overlay' yet: its module is loaded with the first container, if there is one"]),
    ...(seccomp ? [] : ["no seccomp: calls of programs are not filtered"]),
  ];
}

/** Under the names that docker's has, where it has them. Pure. */
export function infoOf(host: HostFacts, own: OwnFacts) {
  const { layout, v1, v2 } = host.cgroups;
  const named = ["apparmor", "selinux"].filter((name) => host.modules.includes(name));
  return {
    ServerVersion: VERSION,
    Containers: own.running + own.ended,
    ContainersRunning: own.running,
    ContainersStopped: own.ended,
    Images: own.images,
    Volumes: own.volumes,
    Driver: "overlay",
    BackingFilesystem: own.filesystem,
    RootDir: own.root,
    CgroupDriver: "cgroupfs",
    CgroupVersion: layout === "v2" ? "2" : "1",
    CgroupLayout: layout,
    CgroupControllers: { v1, v2 },
    SecurityOptions: [
      ...(host.seccomp ? ["name=seccomp,profile=default"] : []),
      ...named.map((name) => `name=${name}`),
    ],
    SecurityModules: host.modules,
    UserNamespaces: host.userNamespaces,
    KernelVersion: host.kernel,
    OperatingSystem: host.system,
    OSType: "linux",
    Architecture: host.architecture,
    NCPU: host.processors,
    MemTotal: host.memoryBytes,
    Name: host.name,
    Registries: {
      Insecure: own.settings.insecure,
      Mirrors: Object.fromEntries(own.settings.mirrors),
      Aliases: Object.fromEntries(own.aliases),
    },
    ConfigFiles: own.configFiles,
    Warnings: warningsOf(host),
  };
}

type Info = ReturnType<typeof infoOf>;

/** As lines for people. Pure. */
export function infoLines(info: Info): string[] {
  const words = (list: readonly string[]): string => (list.length === 0 ? "none" : list.join(" "));
  const { Registries: registries } = info;
  const { v1, v2 } = info.CgroupControllers;
  const controllers: [name: string, value: string][] = [
    ...(info.CgroupLayout === "v2" ? [] : [["  version 1", words(v1)] satisfies [string, string]]),
    ...(info.CgroupLayout === "v1" ? [] : [["  version 2", words(v2)] satisfies [string, string]]),
  ];
  const pairs: [name: string, value: string][] = [
    ["Version", info.ServerVersion],
    ["Containers", `${info.Containers} (${info.ContainersRunning} running, ${info.ContainersStopped} ended)`],
    ["Images", String(info.Images)],
    ["Volumes", String(info.Volumes)],
    [
      "Storage",
      `${info.Driver} in ${info.RootDir}${info.BackingFilesystem === "" ? "" : ` on ${info.BackingFilesystem}`}`,
    ],
    ["Cgroups", info.CgroupLayout],
    ...controllers,
    ["Security", words(info.SecurityOptions)],
    ["Modules", words(info.SecurityModules)],
    ["User namespaces", info.UserNamespaces === 0 ? "off" : `at most ${info.UserNamespaces}`],
    ["Kernel", info.KernelVersion],
    ["System", info.OperatingSystem],
    ["Architecture", info.Architecture],
    ["Processors", String(info.NCPU)],
    ["Memory", formatMebibytes(info.MemTotal)],
    ["Host", info.Name],
    ["Configuration", words(info.ConfigFiles)],
    ["Insecure", words(registries.Insecure)],
    ...Object.entries(registries.Mirrors).map(([domain, hosts]): [string, string] => [
      `Mirrors of ${domain}`,
      words(hosts),
    ]),
    ...Object.entries(registries.Aliases).map(([name, target]): [string, string] => [`Alias ${name}`, target]),
  ];
  return [...pairs.map(([name, value]) => `${name}: ${value}`), ...info.Warnings.map((text) => `WARNING: ${text}`)];
}

export async function run(argv: readonly string[]): Promise<number> {
  if (isHelp(argv, FLAGS)) return printHelp("info", "[FLAGS]", "Shows what this host has, and what is here.", FLAGS);
  const { flags, rest } = parseFlags("info", FLAGS, argv);
  if (rest.length > 0) throw new Failure(`'info' takes no arguments, and got '${rest[0]}'`);
  const show = flags.format === undefined ? undefined : inspectionIn(flags.format);
  requireRoot();
  const root = stateRoot();
  const states = currentStates();
  const running = states.filter(({ status }) => status === "running").length;
  const info = infoOf(hostFacts(), {
    root: root.path,
    filesystem: filesystemName(root.path),
    running,
    ended: states.length - running,
    images: new Set(listRecords(root.images).map(({ id }) => id)).size,
    volumes: listVolumes(root).length,
    settings: await readRegistrySettings(),
    aliases: await readAliasTable(),
    configFiles: (await readConfigFiles()).map(({ path }) => path),
  });
  if (show !== undefined) line(show(info));
  else for (const text of infoLines(info)) line(text);
  return 0;
}
