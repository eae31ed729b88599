/**
 * What is asked of `linux` in config.json beyond its shape (config-linux.md): above all, which fields need a namespace that
 * the container does not share.
 */
import { Failure } from "../failure.ts";
import type { Linux, NamespaceType, Resources, Seccomp, Spec } from "./config.ts";
import { showValue } from "./json-path.ts";
import { isSysctlName, isSysctlValue, namespaceOfSysctl } from "./sysctls.ts";

const PROPAGATIONS = ["private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable"];
const SECCOMP_ARGUMENTS = 6;
const NANOSECONDS_A_SECOND = 1_000_000_000;

/**
 * Throws a Failure that begins with `at`.
 * @param at where it is: `config.json: linux`
 * @returns warnings
 */
export function checkLinux(linux: Linux, at: string): string[] {
  const namespaces = new Set<NamespaceType>();
  for (const [index, { type }] of (linux.namespaces ?? []).entries()) {
    if (namespaces.has(type)) throw new Failure(`${at}.namespaces[${index}]: type '${type}' is named twice`);
    namespaces.add(type);
  }
  const warnings = checkUserNamespace(linux, at);
  checkTimeOffsets(linux, at);
  checkPaths(linux, namespaces, at);
  if (linux.sysctl !== undefined) checkSysctls(linux.sysctl, namespaces, `${at}.sysctl`);
  if (linux.resources !== undefined) checkResources(linux.resources, `${at}.resources`);
  if (linux.seccomp !== undefined) checkSeccomp(linux.seccomp, `${at}.seccomp`);
  if (linux.netDevices !== undefined && Object.keys(linux.netDevices).length > 0 && !namespaces.has("network")) {
    throw new Failure(`${at}.netDevices: needs a network namespace`);
  }
  const { rootfsPropagation = "", intelRdt, personality } = linux;
  if (rootfsPropagation !== "" && !PROPAGATIONS.includes(rootfsPropagation)) {
    throw new Failure(
      `${at}.rootfsPropagation: expected one of ${PROPAGATIONS.join(", ")}, got ${showValue(rootfsPropagation)}`,
    );
  }
  if (intelRdt?.closID !== undefined && intelRdt.closID !== "" && !isPlainName(intelRdt.closID)) {
    throw new Failure(`${at}.intelRdt.closID: expected the name of a directory, got ${showValue(intelRdt.closID)}`);
  }
  if ((personality?.flags ?? []).length > 0) warnings.push(`${at}.personality.flags: there are none known; ignored`);
  return warnings;
}

function checkUserNamespace({ namespaces = [], uidMappings = [], gidMappings = [] }: Linux, at: string): string[] {
  const user = namespaces.find(({ type }) => type === "user");
  const hasMappings = uidMappings.length > 0 || gidMappings.length > 0;
  if (user === undefined) {
    if (hasMappings) throw new Failure(`${at}: there are uidMappings or gidMappings, and no user namespace`);
    return [];
  }
  const joins = user.path !== undefined && user.path !== "";
  if (!joins && !hasMappings) {
    throw new Failure(`${at}: a user namespace needs uidMappings and gidMappings, or the path of one to join`);
  }
  // containerd and CRI-O give both.
  return joins && hasMappings ? [`${at}: uidMappings and gidMappings are ignored: the user namespace has a path`] : [];
}

function checkTimeOffsets({ namespaces = [], timeOffsets }: Linux, at: string): void {
  if (timeOffsets === undefined) return;
  const time = namespaces.find(({ type }) => type === "time");
  if (time === undefined) throw new Failure(`${at}.timeOffsets: needs a time namespace`);
  if (time.path !== undefined && time.path !== "") {
    throw new Failure(`${at}.timeOffsets: the time namespace has a path; only a new one can have offsets`);
  }
  for (const [clock, { nanosecs = 0 }] of Object.entries(timeOffsets)) {
    if (nanosecs < NANOSECONDS_A_SECOND) continue;
    throw new Failure(`${at}.timeOffsets.${clock}.nanosecs: must be below ${NANOSECONDS_A_SECOND}, got ${nanosecs}`);
  }
}

function checkPaths(linux: Linux, namespaces: ReadonlySet<NamespaceType>, at: string): void {
  for (const field of ["maskedPaths", "readonlyPaths"] as const) {
    const paths = linux[field] ?? [];
    if (paths.length > 0 && !namespaces.has("mount")) throw new Failure(`${at}.${field}: needs a mount namespace`);
    const wrong = paths.findIndex((path) => !path.startsWith("/"));
    if (wrong >= 0) {
      throw new Failure(`${at}.${field}[${wrong}]: must be an absolute path, got ${showValue(paths[wrong])}`);
    }
  }
  for (const [index, { path }] of (linux.devices ?? []).entries()) {
    if (path.startsWith("/")) continue;
    throw new Failure(`${at}.devices[${index}].path: must be an absolute path, got ${showValue(path)}`);
  }
}

function checkSysctls(
  sysctls: Readonly<Record<string, string>>,
  namespaces: ReadonlySet<NamespaceType>,
  at: string,
): void {
  for (const [name, value] of Object.entries(sysctls)) {
    const where = `${at}[${showValue(name)}]`;
    if (!isSysctlName(name)) throw new Failure(`${where}: is no name of a kernel parameter`);
    if (!isSysctlValue(value)) throw new Failure(`${where}: is no value of a kernel parameter`);
    if (name === "kernel.hostname" || name === "kernel/hostname") {
      throw new Failure(`${where}: is not allowed as it conflicts with the field 'hostname'`);
    }
    const namespace = namespaceOfSysctl(name);
    if (namespace === undefined) throw new Failure(`${where}: is not in a separate kernel namespace`);
    if (!namespaces.has(namespace)) throw new Failure(`${where}: is not allowed in the host's ${namespace} namespace`);
  }
}

/** Of a file or directory that is made or written: no path. */
function isPlainName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !/[/\n]/.test(name);
}

/** Also of `update --resources`. Throws a Failure that begins with `at`. */
export function checkResources({ devices = [], hugepageLimits = [], unified = {} }: Resources, at: string): void {
  for (const [index, { access = "" }] of devices.entries()) {
    // "a" is written for all by some; runc takes it.
    if (/^[rwma]*$/.test(access)) continue;
    throw new Failure(`${at}.devices[${index}].access: expected letters of rwm, got ${showValue(access)}`);
  }
  // Both become names of files.
  for (const [index, { pageSize }] of hugepageLimits.entries()) {
    if (/^[1-9][0-9]{0,9}[KMG]B$/.test(pageSize)) continue;
    throw new Failure(`${at}.hugepageLimits[${index}].pageSize: expected a size as in 2MB, got ${showValue(pageSize)}`);
  }
  for (const name of Object.keys(unified)) {
    if (isPlainName(name)) continue;
    throw new Failure(`${at}.unified[${showValue(name)}]: must be the name of a file, without slashes`);
  }
}

function checkSeccomp(seccomp: Seccomp, at: string): void {
  const { listenerPath = "", listenerMetadata = "", syscalls = [] } = seccomp;
  if (listenerMetadata !== "" && listenerPath === "") {
    throw new Failure(`${at}.listenerMetadata: must not be there without listenerPath`);
  }
  for (const [index, { action, args }] of syscalls.entries()) {
    if (action === "SCMP_ACT_NOTIFY" && listenerPath === "") {
      throw new Failure(`${at}.syscalls[${index}].action: SCMP_ACT_NOTIFY needs listenerPath`);
    }
    const wrong = args?.findIndex((argument) => argument.index >= SECCOMP_ARGUMENTS) ?? -1;
    if (wrong >= 0) throw new Failure(`${at}.syscalls[${index}].args[${wrong}].index: must be from 0 to 5`);
  }
}

/** `hostname` and `domainname` are of the container only in a UTS namespace. */
export function checkHostNames({ hostname = "", domainname = "", linux }: Spec, source: string): void {
  if ((linux?.namespaces ?? []).some(({ type }) => type === "uts")) return;
  if (hostname !== "") throw new Failure(`${source}: hostname: needs a uts namespace`);
  if (domainname !== "") throw new Failure(`${source}: domainname: needs a uts namespace`);
}
