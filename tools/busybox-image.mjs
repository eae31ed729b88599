// The root file system of the built-in image, as a tar archive: Debian's static busybox and what a small system needs.
// The same busybox makes the same archive, byte for byte.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BLOCK = 512;
const PROGRAM_INTERPRETER = 3; // PT_INTERP of elf(5): what a dynamic executable has
const TYPE = { file: "0", hardLink: "1", symlink: "2", directory: "5" };

const FILES = {
  "etc/passwd": [
    "root:x:0:0:root:/root:/bin/sh",
    "daemon:x:1:1:daemon:/usr/sbin:/bin/false",
    "bin:x:2:2:bin:/bin:/bin/false",
    "sys:x:3:3:sys:/dev:/bin/false",
    "mail:x:8:8:mail:/var/spool/mail:/bin/false",
    "www-data:x:33:33:www-data:/var/www:/bin/false",
    "operator:x:37:37:Operator:/var:/bin/false",
    "nobody:x:65534:65534:nobody:/home:/bin/false",
  ],
  "etc/group": [
    "root:x:0:",
    "daemon:x:1:",
    "bin:x:2:",
    "sys:x:3:",
    "adm:x:4:",
    "tty:x:5:",
    "disk:x:6:",
    "lp:x:7:",
    "mail:x:8:",
    "kmem:x:9:",
    "wheel:x:10:root",
    "cdrom:x:11:",
    "dialout:x:18:",
    "floppy:x:19:",
    "video:x:28:",
    "audio:x:29:",
    "tape:x:32:",
    "www-data:x:33:",
    "operator:x:37:",
    "utmp:x:43:",
    "plugdev:x:46:",
    "staff:x:50:",
    "lock:x:54:",
    "netdev:x:82:",
    "users:x:100:",
    "nogroup:x:65534:",
  ],
  "etc/nsswitch.conf": ["passwd: files", "group: files", "hosts: files dns"],
  "etc/profile": ["export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
};
const SHADOW = ["root", "daemon", "bin", "sys", "mail", "www-data", "operator", "nobody"].map(
  (name) => `${name}:*:::::::`,
);

/** path -> mode */
const DIRECTORIES = {
  bin: 0o755,
  dev: 0o755,
  etc: 0o755,
  home: 0o755,
  lib: 0o755,
  proc: 0o755,
  root: 0o700,
  run: 0o755,
  sbin: 0o755,
  sys: 0o755,
  tmp: 0o1777,
  usr: 0o755,
  "usr/bin": 0o755,
  "usr/local": 0o755,
  "usr/local/bin": 0o755,
  "usr/sbin": 0o755,
  var: 0o755,
  "var/log": 0o755,
  "var/spool": 0o755,
  "var/spool/mail": 0o755,
  "var/tmp": 0o1777,
  "var/www": 0o755,
};

/** Whether an executable needs a dynamic linker: its program headers name one (elf(5), 64 bit, little endian). */
function isStatic(elf) {
  if (elf.length < 64 || elf.toString("latin1", 0, 4) !== "\x7fELF" || elf[4] !== 2 || elf[5] !== 1) return false;
  const at = Number(elf.readBigUInt64LE(32));
  const [size, count] = [elf.readUInt16LE(54), elf.readUInt16LE(56)];
  for (let index = 0; index < count; index++) {
    if (elf.readUInt32LE(at + index * size) === PROGRAM_INTERPRETER) return false;
  }
  return true;
}

/** A static busybox: the one that is installed, or that of Debian's package, fetched and unpacked but not installed. */
function findBusybox() {
  for (const path of ["/bin/busybox", "/usr/bin/busybox"]) {
    try {
      if (isStatic(readFileSync(path))) return { path, clean: () => {} };
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  }
  const directory = mkdtempSync(join(tmpdir(), "mycontainer-busybox-"));
  const clean = () => rmSync(directory, { recursive: true, force: true });
  try {
    // Under sudo, apt's own user could not write here, and says so: it is harmless.
    execFileSync("apt-get", ["download", "-q", "busybox-static"], {
      cwd: directory,
      stdio: ["ignore", "ignore", "pipe"],
    });
    const [name] = readdirSync(directory);
    execFileSync("dpkg-deb", ["-x", name, join(directory, "root")], { cwd: directory });
    const path = ["bin/busybox", "usr/bin/busybox"]
      .map((below) => join(directory, "root", below))
      .find((candidate) => statSync(candidate, { throwIfNoEntry: false }) !== undefined);
    if (path !== undefined && isStatic(readFileSync(path))) return { path, clean };
  } catch {
    // What to do about it is the same, whatever it was.
  }
  clean();
  console.error("[build] the built-in image needs a static busybox: apt install busybox-static");
  process.exit(1);
}

/** A number as a field of a tar header: octal digits and a NUL. */
const octal = (value, width) => `${value.toString(8).padStart(width - 1, "0")}\0`;

/** An entry of a ustar archive (POSIX.1-1988). */
function entry(path, { type, mode, data = Buffer.alloc(0), target = "", time }) {
  const header = Buffer.alloc(BLOCK);
  const put = (text, at) => header.write(text, at, "latin1");
  put(path, 0);
  put(octal(mode, 8), 100);
  put(octal(0, 8), 108);
  put(octal(0, 8), 116);
  put(octal(data.length, 12), 124);
  put(octal(time, 12), 136);
  put(" ".repeat(8), 148);
  put(type, 156);
  put(target, 157);
  put("ustar\x0000", 257);
  put("root", 265);
  put("root", 297);
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([header, data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)]);
}

/** Writes the archive; its time, and that of all in it, is busybox's own. */
export function makeBusyboxImage(target) {
  const { path, clean } = findBusybox();
  const program = readFileSync(path);
  const time = Math.floor(statSync(path).mtimeMs / 1000);
  const applets = execFileSync(path, ["--list"], { encoding: "utf8" }).split("\n");
  clean();
  const names = [...new Set(applets)].filter((name) => name !== "" && name !== "busybox").sort();
  const text = (lines) => Buffer.from(`${lines.join("\n")}\n`);
  const parts = [
    entry("./", { type: TYPE.directory, mode: 0o755, time }),
    ...Object.entries(DIRECTORIES).map(([name, mode]) => entry(`${name}/`, { type: TYPE.directory, mode, time })),
    entry("bin/busybox", { type: TYPE.file, mode: 0o755, data: program, time }),
    ...names.map((name) => entry(`bin/${name}`, { type: TYPE.hardLink, mode: 0o755, target: "bin/busybox", time })),
    // Scripts name it by this path.
    entry("usr/bin/env", { type: TYPE.hardLink, mode: 0o755, target: "bin/busybox", time }),
    entry("lib64", { type: TYPE.symlink, mode: 0o777, target: "lib", time }),
    ...Object.entries(FILES).map(([name, lines]) =>
      entry(name, { type: TYPE.file, mode: 0o644, data: text(lines), time }),
    ),
    entry("etc/shadow", { type: TYPE.file, mode: 0o600, data: text(SHADOW), time }),
    Buffer.alloc(2 * BLOCK),
  ];
  writeFileSync(target, Buffer.concat(parts));
  utimesSync(target, time, time);
}
