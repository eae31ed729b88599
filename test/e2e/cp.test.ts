/** `cp`: docker's rules, in both directions, of containers in all states. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { execOutput, removeAll, startDetached } from "./containers.ts";
import { type Engine, e2e, MYCONTAINER } from "./harness.ts";
import { tar } from "./tar.ts";

async function copy(engine: Engine, ...args: string[]): Promise<void> {
  const { status, stderr } = await engine.call(["cp", "-q", ...args]);
  assert.equal(status, 0, `cp ${args.join(" ")}: ${stderr}`);
  assert.equal(stderr, "");
}

async function refused(engine: Engine, message: RegExp, ...args: string[]): Promise<void> {
  const { status, stderr } = await engine.call(["cp", ...args]);
  assert.equal(status, 125, `cp ${args.join(" ")} was not refused`);
  assert.match(stderr, message);
}

const directoryOf = (engine: Engine): string => mkdtempSync(join(engine.directory, "copy-"));

/** All that tar knows of a tree: types, modes, owners, sizes, times to the nanosecond, links, attributes, content. */
function archiveOf(directory: string): Buffer {
  const posix = ["--format=posix", "--pax-option=exthdr.name=x,delete=atime,delete=ctime", "--sort=name"];
  const all = ["--numeric-owner", "--xattrs", "--xattrs-include=*"];
  return execFileSync("tar", ["-c", ...posix, ...all, "-C", directory, "."], { maxBuffer: 1 << 26 });
}

/** A tree with files of every kind. */
function makeTree(path: string): void {
  mkdirSync(path);
  const attribute = { name: "attributed", data: "x", pax: { "SCHILY.xattr.user.note": "kept" } };
  execFileSync("tar", ["-x", "--xattrs", "--xattrs-include=*", "-C", path], { input: tar(attribute) });
  const script = `
    mkdir -p sub/empty; echo hello >file; chown 1234:70000 file; chmod 4751 file; ln file hard; ln -s ../elsewhere link
    mkfifo -m 600 fifo; mknod node c 1 3; truncate -s 3M sparse; echo end >>sparse; chown 33:44 sub; chmod 2775 sub
    chown -h 55:66 link; touch -h -d '2001-02-03 04:05:06.123456789 UTC' link file; touch -d '1960-01-01 UTC' sub/old
    touch "sub/$(printf 'x%.0s' $(seq 200))" "sub/$(printf 'a\\nb')"; touch -d '2002-02-02 UTC' sub/empty sub .
  `;
  execFileSync("sh", ["-ec", script], { cwd: path });
}

for (const state of ["running", "paused", "ended"] as const) {
  e2e(`with -a a tree comes into a container that is ${state} and out of it as it was`, async (engine) => {
    const host = directoryOf(engine);
    makeTree(join(host, "tree"));
    const id = await startDetached(engine, ["--network", "none"]);
    const { cgroupPath } = JSON.parse((await engine.call(["inspect", id])).stdout)[0];
    if (state === "ended") {
      await engine.call(["kill", id]);
      await engine.call(["wait", id]);
    }
    const freeze = (how: "FROZEN" | "THAWED") => {
      const [v1, v2] = [
        `/sys/fs/cgroup/freezer${cgroupPath}/freezer.state`,
        `/sys/fs/cgroup${cgroupPath}/cgroup.freeze`,
      ];
      if (existsSync(v1)) writeFileSync(v1, how);
      else writeFileSync(v2, how === "FROZEN" ? "1" : "0");
    };
    if (state === "paused") freeze("FROZEN");
    await copy(engine, "-a", join(host, "tree"), `${id}:/root`);
    await copy(engine, "-a", `${id}:/root/tree/.`, join(host, "back"));
    if (state === "paused") freeze("THAWED");
    assert.ok(archiveOf(join(host, "tree")).equals(archiveOf(join(host, "back"))), "tar sees differences");
    assert.ok(lstatSync(join(host, "back/sparse")).blocks < 100, "holes are filled");
    assert.equal(lstatSync(join(host, "back/file")).ino, lstatSync(join(host, "back/hard")).ino);
    await removeAll(engine, id);
  });
}

e2e("the rules of where a copy goes are docker's, into a container", async (engine) => {
  const host = directoryOf(engine);
  mkdirSync(join(host, "dir"));
  writeFileSync(join(host, "dir/inner"), "inner\n");
  writeFileSync(join(host, "file"), "file\n");
  const [file, dir] = [join(host, "file"), join(host, "dir")];
  const id = await startDetached(engine, ["--network", "none"]);
  const there = async (path: string) => (await execOutput(engine, id, "cat", path)).trim();

  await copy(engine, file, `${id}:/root`);
  assert.equal(await there("/root/file"), "file");
  await copy(engine, file, `${id}:root/named`);
  assert.equal(await there("/root/named"), "file");
  await copy(engine, join(dir, "inner"), `${id}:/root/named`);
  assert.equal(await there("/root/named"), "inner");
  await refused(engine, /there is no directory '.*:\/root\/none' — make it first/, file, `${id}:/root/none/`);
  await refused(engine, /there is no directory '.*:\/none' — make it first/, file, `${id}:/none/named`);
  await refused(engine, /is not a directory/, file, `${id}:/root/named/`);
  await refused(engine, /is not a directory/, `${file}/`, `${id}:/root`);
  await refused(engine, /there is no '.*nothing'/, join(host, "nothing"), `${id}:/root`);

  await copy(engine, dir, `${id}:/root/new`);
  assert.equal(await there("/root/new/inner"), "inner");
  await copy(engine, dir, `${id}:/root/new`);
  assert.equal(await there("/root/new/dir/inner"), "inner");
  await copy(engine, `${dir}/.`, `${id}:/root`);
  assert.equal(await there("/root/inner"), "inner");
  await copy(engine, `${dir}/.`, `${id}:/root/newer`);
  assert.equal(await there("/root/newer/inner"), "inner");
  await refused(engine, /cannot copy a directory to '.*:\/root\/named'/, dir, `${id}:/root/named`);

  await execOutput(
    engine,
    id,
    "sh",
    "-ec",
    "mkdir /root/dir /root/dir/inner; ln -s /root/file /root/link; ln -s /var /root/var",
  );
  await refused(engine, /'dir\/inner' is a directory, and is not replaced by what is none/, dir, `${id}:/root`);
  await copy(engine, join(dir, "inner"), `${id}:/root/link`);
  assert.equal(await there("/root/file"), "inner");
  await copy(engine, file, `${id}:/root/var`);
  assert.equal(await there("/var/file"), "file");
  await execOutput(engine, id, "ln", "-s", "../var/later", "/root/dangling");
  await copy(engine, file, `${id}:/root/dangling`);
  assert.equal(await there("/var/later"), "file");
  await refused(engine, /is a device/, file, `${id}:/dev/null`);
  await removeAll(engine, id);
});

e2e("the rules of where a copy goes are docker's, out of a container", async (engine) => {
  const host = directoryOf(engine);
  const id = await startDetached(engine, ["--network", "none"]);
  await execOutput(
    engine,
    id,
    "sh",
    "-ec",
    "mkdir -p /d/s; echo x >/d/s/x; ln -s s /d/l; ln -s s/x /d/f; ln -s /etc/passwd /d/p",
  );
  const at = (...parts: string[]) => join(host, ...parts);
  await copy(engine, `${id}:/d`, at("new"));
  assert.deepEqual(readdirSync(at("new")).sort(), ["f", "l", "p", "s"]);
  await copy(engine, `${id}:/d/s`, at("new"));
  assert.deepEqual(readdirSync(at("new/s")), ["x"]);
  await copy(engine, `${id}:d/s/.`, host);
  assert.equal(readFileSync(at("x"), "utf8"), "x\n");
  await copy(engine, `${id}:/d/f`, at("link"));
  assert.equal(readlinkSync(at("link")), "s/x");
  await copy(engine, "-L", `${id}:/d/f`, at("followed"));
  assert.ok(lstatSync(at("followed")).isFile());
  mkdirSync(at("into"));
  await copy(engine, "-L", `${id}:/d/f`, at("into"));
  assert.equal(readFileSync(at("into/f"), "utf8"), "x\n");
  await copy(engine, `${id}:/d/l/`, at("into"));
  assert.equal(readFileSync(at("into/l/x"), "utf8"), "x\n");
  await copy(engine, "-L", `${id}:/d/p`, at("passwd"));
  assert.match(readFileSync(at("passwd"), "utf8"), /^root:/);
  assert.notEqual(readFileSync(at("passwd"), "utf8"), readFileSync("/etc/passwd", "utf8"));
  symlinkSync(at("target"), at("pointer"));
  await copy(engine, `${id}:/d/s/x`, at("pointer"));
  assert.equal(readFileSync(at("target"), "utf8"), "x\n");
  await refused(engine, /there is no directory '.*nowhere'/, `${id}:/d`, at("nowhere/x"));
  await refused(engine, /there is no '.*:\/none'/, `${id}:/none`, host);
  await refused(engine, /shows the kernel's state/, `${id}:/proc/1/status`, host);
  await refused(engine, /cannot copy a directory/, `${id}:/d`, at("x"));
  const told = await engine.call(["cp", `${id}:/d/s/x`, host]);
  assert.match(told.stderr, new RegExp(`^Successfully copied [0-9.]+KB to ${host}\n$`));
  await removeAll(engine, id);
});

e2e("an archive is read and written in place of files, with the owners that it tells", async (engine) => {
  const host = directoryOf(engine);
  const id = await startDetached(engine, ["--network", "none"]);
  const archive = tar(
    { name: "d/f", uid: 7, gid: 8, mode: 0o640, data: "one\n" },
    { name: "d/.wh.f", uid: 9, gid: 9, mode: 0o600, data: "no whiteout\n" },
  );
  writeFileSync(join(host, "in.tar"), archive);
  const script = `"$0" cp - "$1:/root" <in.tar && "$0" cp "$1:/root/d" - >out.tar && tar -tvf out.tar --numeric-owner`;
  const listed = execFileSync("sh", ["-ec", script, MYCONTAINER, id], {
    cwd: host,
    encoding: "utf8",
    env: { ...process.env, ...engine.env },
  });
  assert.match(listed, /^drwxr-xr-x 0\/0 .* d\/$/m);
  assert.match(listed, /^-rw-r----- 7\/8 +4 .* d\/f$/m);
  assert.match(listed, /^-rw------- 9\/9 +12 .* d\/\.wh\.f$/m);
  const { stderr } = await engine.call(["cp", "-", `${id}:/root/d/f`], { stdin: "" });
  assert.match(stderr, /must be a directory/);
  const { stderr: damaged } = await engine.call(["cp", "-", `${id}:/root`], { stdin: "no archive\n".repeat(100) });
  assert.match(damaged, /the archive is no archive/);
  await removeAll(engine, id);
});

e2e(
  "without -a all belongs to root where it comes to, and no program brings privileges to the host",
  async (engine) => {
    const host = directoryOf(engine);
    writeFileSync(join(host, "in"), "");
    execFileSync("sh", ["-ec", "chown 1000:1001 in; chmod 6755 in"], { cwd: host });
    const id = await startDetached(engine, ["--network", "none"]);
    await copy(engine, join(host, "in"), `${id}:/root/one`);
    await copy(engine, "-a", join(host, "in"), `${id}:/root/two`);
    const told = await execOutput(engine, id, "stat", "-c", "%u:%g %a", "/root/one", "/root/two");
    assert.equal(told, "0:0 6755\n1000:1001 6755\n");
    await copy(engine, `${id}:/root/two`, join(host, "one"));
    await copy(engine, "-a", `${id}:/root/two`, join(host, "two"));
    const on = (name: string) => {
      const { uid, gid, mode } = lstatSync(join(host, name));
      return [uid, gid, mode & 0o7777];
    };
    assert.deepEqual(on("one"), [0, 0, 0o755]);
    assert.deepEqual(on("two"), [1000, 1001, 0o6755]);
    await removeAll(engine, id);
  },
);

e2e("ids of a container with a user namespace are its own, with and without -a", async (engine) => {
  const host = directoryOf(engine);
  writeFileSync(join(host, "in"), "x\n");
  execFileSync("chown", ["1000:1001", join(host, "in")]);
  const id = await startDetached(engine, ["--network", "none", "--userns", "auto"]);
  await copy(engine, join(host, "in"), `${id}:/root/one`);
  await copy(engine, "-a", join(host, "in"), `${id}:/root/two`);
  const stat = ["stat", "-c", "%u:%g", "/root/one", "/root/two"];
  assert.equal(await execOutput(engine, id, ...stat), "0:0\n1000:1001\n");
  await copy(engine, "-a", `${id}:/root/two`, join(host, "out"));
  assert.deepEqual([lstatSync(join(host, "out")).uid, lstatSync(join(host, "out")).gid], [1000, 1001]);
  execFileSync("chown", ["100000", join(host, "in")]);
  await refused(engine, /the owner 100000 of .* is none of the 65536/, "-a", join(host, "in"), `${id}:/root/three`);
  await engine.call(["kill", id]);
  await engine.call(["wait", id]);
  await copy(engine, "-a", `${id}:/root/two`, join(host, "later"));
  assert.equal(lstatSync(join(host, "later")).uid, 1000);
  await removeAll(engine, id);
});

e2e(
  "volumes and files that are bound are copied from and to, while a container runs and afterwards",
  async (engine) => {
    const host = directoryOf(engine);
    mkdirSync(join(host, "volume"));
    for (const name of ["file", "single"]) writeFileSync(join(host, name), `${name}\n`);
    const volumes = [
      "-v",
      `${host}/volume:/data`,
      "-v",
      `${host}/volume:/fixed:ro`,
      "-v",
      `${host}/single:/etc/single`,
    ];
    const id = await startDetached(engine, ["--network", "none", ...volumes]);
    await copy(engine, join(host, "file"), `${id}:/data/running`);
    await copy(engine, join(host, "file"), `${id}:/etc/single`);
    assert.equal(await execOutput(engine, id, "cat", "/data/running", "/etc/single"), "file\nfile\n");
    assert.equal(readFileSync(join(host, "single"), "utf8"), "file\n");
    await refused(engine, /:\/fixed' is read-only/, join(host, "file"), `${id}:/fixed/x`);
    await copy(engine, join(host, "file"), `${id}:/tmp/of-memory`);
    await copy(engine, `${id}:/`, join(host, "whole"));
    assert.deepEqual(
      ["proc", "sys", "dev", "tmp"].flatMap((name) => readdirSync(join(host, "whole", name))),
      [],
    );
    assert.equal(readFileSync(join(host, "whole/data/running"), "utf8"), "file\n");
    await engine.call(["kill", id]);
    await engine.call(["wait", id]);
    await copy(engine, `${id}:/fixed/running`, join(host, "out"));
    await copy(engine, join(host, "file"), `${id}:/data/ended`);
    assert.deepEqual(readdirSync(join(host, "volume")).sort(), ["ended", "running"]);
    await refused(engine, /:\/fixed' is read-only/, join(host, "file"), `${id}:/fixed/x`);
    await refused(engine, /:\/tmp' is there only while the container runs/, join(host, "file"), `${id}:/tmp/x`);
    await removeAll(engine, id);
  },
);

e2e("a root that is read-only takes no files, its volumes do", async (engine) => {
  const host = directoryOf(engine);
  writeFileSync(join(host, "file"), "file\n");
  const id = await startDetached(engine, ["--network", "none", "--read-only", "-v", `${host}:/data`]);
  for (const end of [false, true]) {
    if (end) {
      await engine.call(["kill", id]);
      await engine.call(["wait", id]);
    }
    await refused(engine, /:\/root' is read-only — copy into a volume/, join(host, "file"), `${id}:/root`);
    await copy(engine, join(host, "file"), `${id}:/data/copy`);
    assert.equal(readFileSync(join(host, "copy"), "utf8"), "file\n");
  }
  await removeAll(engine, id);
});

e2e("what cannot be meant is refused with what to do", async (engine) => {
  await refused(engine, /needs a source and a destination — as in/, "one:/a");
  await refused(engine, /one of the two sides must be the host — copy by way of an archive/, "one:/a", "two:/b");
  await refused(engine, /one of the two sides must be a container/, "/a", "/b");
  await refused(engine, /no container 'none' here/, "none:/a", engine.directory);
  await refused(engine, /the source is empty/, "", "one:/a");
});
