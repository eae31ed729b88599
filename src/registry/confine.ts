/**
 * The cage of `mycontainer-fetch` (native/fetch), which speaks with strangers: the network is the host's, and of its files
 * there are copies of the two that names are resolved by. It runs as a user of its own, so that no service on the host
 * that knows its clients by their user takes it for root, and without any privilege.
 */
import { setAttributes } from "../linux/attributes.ts";
import { type Cage, RLIMIT, startCaged } from "../linux/cage.ts";
import { call, isErrno } from "../linux/error.ts";
import { callForHandle, type Handle } from "../linux/fd.ts";
import { O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL, O_PATH, O_WRONLY, openHost, readText } from "../linux/hostpath.ts";
import { writeAll } from "../linux/io.ts";
import { ATTR, createDetached, openFilesystem, setOption } from "../linux/mount.ts";
import { type Child, CLONE } from "../linux/process.ts";

/** User and group: of no package's, and not `nobody`, which services share (systemd's list of ids leaves it free). */
const USER = 65_533;
const LIMITS: Cage["limits"] = [
  [RLIMIT.core, 0n],
  [RLIMIT.openFiles, 256n],
  [RLIMIT.addressSpace, 2n << 30n],
];
/** hosts(5), resolv.conf(5). */
const FILES = ["hosts", "resolv.conf"] as const;
const FILE_LIMIT_BYTES = 4 * 1024 * 1024;

/** A file system in memory with copies of FILES in its `etc`, attached nowhere. */
function rootTree(): Handle {
  using context = openFilesystem("tmpfs");
  setOption(context.fd, "mode", "755");
  const tree = createDetached(context.fd, "tmpfs", ATTR.nosuid | ATTR.nodev | ATTR.noexec);
  call("mkdirat", "etc", tree.fd, "etc", 0o755);
  for (const name of FILES) {
    const text = textOf(`/etc/${name}`);
    if (text === undefined) continue;
    using file = callForHandle("openat", name, tree.fd, `etc/${name}`, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644);
    call("fchmod", name, file.fd, 0o644);
    writeAll(file.fd, text, name);
  }
  call("fchmodat", "etc", tree.fd, "etc", 0o755);
  return tree;
}

/** The file's text; undefined where there is none. */
function textOf(path: string): string | undefined {
  try {
    return readText(path, FILE_LIMIT_BYTES);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR", "EACCES")) return undefined;
    throw error;
  }
}

/** Starts the program: `socket` is what it talks through, `complaint` a pipe for what it has to say beside that. */
export function startFetch(program: Handle, socket: Handle, complaint: Handle): Child {
  return startCaged(program, ["mycontainer-fetch"], [socket, complaint, complaint], {
    namespaces: CLONE.newIpc | CLONE.newUts,
    limits: LIMITS,
    capabilities: [],
    user: USER,
    root: () => {
      const [tree, about] = [rootTree(), "tmpfs"];
      const finish = () => setAttributes(tree.fd, about, { set: ATTR.rdonly });
      return { tree, at: openHost("/", O_PATH | O_DIRECTORY), about, finish };
    },
  });
}
