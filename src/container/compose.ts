/**
 * What was asked for + what the image says + what is the default -> an OCI config. Pure.
 */
import { Failure } from "../failure.ts";
import { resolveCapabilities } from "../isolation/capabilities.ts";
import { DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS } from "../isolation/masks.ts";
import type { DeviceRule, Namespace, NamespaceType, Spec } from "../spec/config.ts";
import type { ImageConfig } from "../spec/image.ts";
import type { ComposeContext } from "./compose-context.ts";
import { composeMounts } from "./compose-mounts.ts";
import { composeResources } from "./compose-resources.ts";
import type { NamespaceChoice, RunOptions } from "./options.ts";

const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export function composeSpec(options: RunOptions, context: ComposeContext): Spec {
  const { image, user, security } = context;
  const capabilities = capabilitiesOf(options);
  const isRoot = user.uid === 0;
  const args = composeArguments(options, image);
  const hostname = options.hostname ?? (options.uts.kind === "private" ? context.id : undefined);
  return {
    ociVersion: "1.2.0",
    process: {
      terminal: context.terminal,
      ...(context.windowSize === undefined
        ? {}
        : { consoleSize: { height: context.windowSize.rows, width: context.windowSize.columns } }),
      user: { uid: user.uid, gid: user.gid, additionalGids: [...user.additionalGids] },
      args,
      env: composeEnvironment(options, context, hostname),
      cwd: options.workdir ?? (image.WorkingDir || "/"),
      // As with docker, a user other than root has none, not even those that were added: they are what it can get by a
      // program that is set-user-id root, or has them as file capabilities.
      capabilities: {
        bounding: capabilities,
        permitted: isRoot ? capabilities : [],
        effective: isRoot ? capabilities : [],
        inheritable: [],
        ambient: [],
      },
      noNewPrivileges: security.noNewPrivileges ?? (!isRoot && !options.privileged),
      rlimits: [...options.rlimits],
      ...(options.oomScoreAdj === undefined ? {} : { oomScoreAdj: options.oomScoreAdj }),
      ...(security.apparmor === undefined ? {} : { apparmorProfile: security.apparmor }),
      ...(security.selinux === undefined ? {} : { selinuxLabel: security.selinux }),
    },
    root: { path: context.rootPath, readonly: options.readonlyRoot },
    ...(hostname === undefined ? {} : { hostname }),
    ...(options.domainname === undefined ? {} : { domainname: options.domainname }),
    mounts: composeMounts(options, context),
    linux: {
      namespaces: composeNamespaces(options, context),
      ...(context.idMap === undefined
        ? {}
        : { uidMappings: [{ containerID: 0, ...context.idMap }], gidMappings: [{ containerID: 0, ...context.idMap }] }),
      ...(context.seccomp === undefined ? {} : { seccomp: context.seccomp }),
      cgroupsPath: `/mycontainer/${context.id}`,
      resources: { ...composeResources(options, context.defaults), devices: deviceRules(options, context) },
      devices: context.devices.map(({ access: _, ...device }) => device),
      sysctl: composeSysctls(options),
      maskedPaths: options.privileged || security.unmasked ? [] : [...DEFAULT_MASKED_PATHS],
      readonlyPaths: options.privileged || security.unmasked ? [] : [...DEFAULT_READONLY_PATHS],
    },
  };
}

/** The capabilities that the container may have at all, by name. */
export function capabilitiesOf({ capAdd, capDrop, privileged }: RunOptions): string[] {
  return resolveCapabilities({ add: capAdd, drop: capDrop, privileged });
}

/** docker's rules: an entrypoint that is given takes the image's command away, too. */
function composeArguments(options: RunOptions, image: ImageConfig): string[] {
  const entrypoint = options.entrypoint ?? image.Entrypoint ?? [];
  const imageCommand = options.entrypoint === undefined ? (image.Cmd ?? []) : [];
  const args = [...entrypoint, ...(options.command.length > 0 ? options.command : imageCommand)];
  if (args.length === 0) {
    throw new Failure(`image '${options.image}' names no command`, {
      hint: `say what to run: mycontainer run ${options.image} COMMAND`,
    });
  }
  return args;
}

function composeEnvironment(options: RunOptions, context: ComposeContext, hostname: string | undefined): string[] {
  const variables = new Map<string, string>();
  const set = (entry: string) => {
    const equals = entry.indexOf("=");
    // A name alone takes a variable away, as with docker.
    if (equals < 0) variables.delete(entry);
    else variables.set(entry.slice(0, equals), entry);
  };
  set(DEFAULT_PATH);
  if (hostname !== undefined) set(`HOSTNAME=${hostname}`);
  if (context.terminal) set("TERM=xterm");
  for (const entry of context.image.Env ?? []) set(entry);
  for (const entry of options.env) set(entry);
  if (!variables.has("HOME")) set(`HOME=${context.user.home}`);
  return [...variables.values()];
}

function composeNamespaces(options: RunOptions, context: ComposeContext): Namespace[] {
  const namespaces: Namespace[] = [{ type: "mount" }];
  const add = (type: NamespaceType, choice: NamespaceChoice | { readonly kind: string }) => {
    const path = context.joined[type];
    if (path !== undefined) namespaces.push({ type, path });
    else if (choice.kind !== "host") namespaces.push({ type });
  };
  add("pid", options.pid);
  add("network", options.network);
  add("uts", options.uts);
  add("ipc", options.ipc);
  // As docker: on v2 a view of its own, on v1 the host's, of which only its own part is mounted.
  add("cgroup", options.cgroupns ?? { kind: context.cgroupKind === "v2" && !options.privileged ? "private" : "host" });
  if (options.userns) namespaces.push({ type: "user" });
  return namespaces;
}

/** Everything is denied first; then the rules of the default devices are added by the cgroup layer, and these. */
function deviceRules(options: RunOptions, context: ComposeContext): DeviceRule[] {
  if (options.privileged) return [{ allow: true, access: "rwm" }];
  const asked = context.devices.map(({ type, major, minor, access }): DeviceRule => {
    return {
      allow: true,
      type: type === "b" ? "b" : "c",
      access,
      ...(major === undefined ? {} : { major }),
      ...(minor === undefined ? {} : { minor }),
    };
  });
  return [{ allow: false, access: "rwm" }, ...asked, ...options.deviceRules];
}

/** docker's: programs without privileges may bind to low ports and ping, in a network namespace of their own. */
function composeSysctls(options: RunOptions): Record<string, string> {
  const ownNetwork = options.network.kind === "bridge" || options.network.kind === "none";
  const defaults =
    ownNetwork && !options.userns
      ? { "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647" }
      : {};
  return { ...defaults, ...options.sysctls };
}
