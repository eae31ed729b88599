/**
 * The container configuration of the OCI runtime specification 1.2, for Linux (config.md, config-linux.md), and what 1.3 adds.
 * Field names are the specification's; what it says of other systems is ignored. What shapes cannot say is in
 * check-config.ts. Where runc takes other things than the specification's own JSON schema does, this is as runc.
 */
import { process } from "./schema-process.ts";
import { deviceNumber, resources } from "./schema-resources.ts";
import { seccomp } from "./schema-seccomp.ts";
import { flag, int64, integer, knownWord, list, map, object, text, uint32, word } from "./shape.ts";

export const root = object({ path: text }, { readonly: flag });

export const idMapping = object({ containerID: uint32, hostID: uint32, size: uint32 }, {});

export const mount = object(
  { destination: text },
  {
    type: text,
    source: text,
    options: list(text),
    uidMappings: list(idMapping),
    gidMappings: list(idMapping),
  },
);

export const hook = object(
  { path: text },
  {
    args: list(text),
    env: list(text),
    /** Seconds. */
    timeout: integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  },
);

export const hooks = object(
  {},
  {
    prestart: list(hook),
    createRuntime: list(hook),
    createContainer: list(hook),
    startContainer: list(hook),
    poststart: list(hook),
    poststop: list(hook),
  },
);

export const namespaceType = word("pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time");

export const namespace = object(
  { type: namespaceType },
  {
    /** Of an existing namespace to enter; a new one is made where there is none. */
    path: text,
  },
);

export const device = object(
  { type: word("b", "c", "u", "p"), path: text },
  { major: deviceNumber, minor: deviceNumber, fileMode: uint32, uid: uint32, gid: uint32 },
);

const timeOffset = object({}, { secs: int64, nanosecs: uint32 });

/** config-linux.md#intelrdt; `enableCMT` and `enableMBM` are of 1.2, `schemata` and `enableMonitoring` of 1.3. */
export const intelRdt = object(
  {},
  {
    closID: text,
    schemata: list(text),
    l3CacheSchema: text,
    memBwSchema: text,
    enableCMT: flag,
    enableMBM: flag,
    enableMonitoring: flag,
  },
);

/** Its words are known to isolation/memory-policy.ts, which says in runc's words what is wrong with them. */
export const memoryPolicy = object({}, { mode: text, nodes: text, flags: list(text) });

export const linux = object(
  {},
  {
    namespaces: list(namespace),
    uidMappings: list(idMapping),
    gidMappings: list(idMapping),
    timeOffsets: object({}, { monotonic: timeOffset, boottime: timeOffset }),
    devices: list(device),
    netDevices: map(object({}, { name: text })),
    cgroupsPath: text,
    rootfsPropagation: text,
    resources,
    seccomp,
    sysctl: map(text),
    maskedPaths: list(text),
    readonlyPaths: list(text),
    mountLabel: text,
    intelRdt,
    memoryPolicy,
    personality: object({ domain: knownWord("LINUX", "LINUX32") }, { flags: list(text) }),
  },
);

export const spec = object(
  { ociVersion: text },
  {
    process,
    root,
    hostname: text,
    domainname: text,
    mounts: list(mount),
    hooks,
    annotations: map(text),
    linux,
  },
);
