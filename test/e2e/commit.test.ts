/** What a container has changed: told, committed to an image, and exported. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { execOutput, initPid, outputOf, removeAll, startDetached } from "./containers.ts";
import { type Engine, e2e } from "./harness.ts";

async function answer(engine: Engine, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.call(args);
  assert.equal(status, 0, stderr);
  return stdout;
}

/** Files of every kind, with all that can be said of them. */
const CHANGES = `
  mkdir -p /d/sub "/d/$(printf 'x%.0s' $(seq 150))"
  echo hello >/d/file; chown 1000:$GROUP /d/file; chmod 4755 /d/file
  ln /d/file /d/hard; ln -s ../d/file /d/link; mkfifo -m 600 /d/fifo
  truncate -s 300M /d/sparse; printf end | dd of=/d/sparse bs=1 seek=200000000 conv=notrunc 2>/dev/null
  touch -d '1960-01-01 00:00:00' /d/old
  rm /bin/ls; rm -r /root; mkdir /root; echo new >/root/new; mv /etc/group /etc/groups; echo x >>/etc/passwd
`;

async function changed(engine: Engine, ...flags: string[]): Promise<string> {
  const id = await startDetached(engine, ["--network", "none", ...flags]);
  // The root of a user namespace makes no devices, and has not all ids.
  const more = flags.includes("--userns") ? "GROUP=2000" : "GROUP=70000; mkdir /d; mknod /d/node c 1 3";
  await execOutput(engine, id, "sh", "-ec", `${more}; ${CHANGES}`);
  // busybox knows no parts of seconds.
  const file = `/proc/${await initPid(engine, id)}/root/d/file`;
  execFileSync("touch", ["-d", "2001-02-03 04:05:06.123456789 UTC", file]);
  return id;
}

e2e("diff tells what was added, changed and deleted, and nothing that is only mounted", async (engine) => {
  const id = await changed(engine);
  const lines = (await answer(engine, "diff", id)).trimEnd().split("\n");
  for (const line of ["C /bin", "D /bin/ls", "A /d", "A /d/file", "D /etc/group", "A /etc/groups", "C /etc/passwd"]) {
    assert.ok(lines.includes(line), `${line} in ${lines}`);
  }
  assert.ok(lines.includes("C /root") && lines.includes("A /root/new"));
  assert.ok(!lines.some((line) => /hosts|resolv|hostname|\/proc|\/dev/.test(line)), lines.join(" "));
  await answer(engine, "kill", id);
  await answer(engine, "wait", id);
  assert.deepEqual((await answer(engine, "diff", id)).trimEnd().split("\n"), lines);
  await removeAll(engine, id);
});

e2e("a committed image has the files as they were, for others and for us", async (engine) => {
  const id = await changed(engine);
  const change = 'CMD ["cat", "/d/file"]';
  const image = (await answer(engine, "commit", "-m", "why", "-a", "who", "-c", change, id, "mine:1")).trim();
  assert.match(image, /^sha256:[0-9a-f]{64}$/);
  assert.equal(await answer(engine, "run", "--rm", "-q", "--network", "none", "mine:1"), "hello\n");
  assert.match(await answer(engine, "history", "mine:1"), /why/);

  const directory = join(engine.directory, "committed");
  mkdirSync(directory);
  await answer(engine, "save", "-o", join(directory, "saved.tar"), "mine:1");
  const run = (program: string, ...args: string[]) => execFileSync(program, args, { cwd: directory, stdio: "pipe" });
  run("skopeo", "copy", "-q", "docker-archive:saved.tar", "oci:layout:x");
  run("umoci", "unpack", "--image", "layout:x", "bundle");
  const at = (path: string) => lstatSync(join(directory, "bundle/rootfs", path), { bigint: true });
  const file = at("d/file");
  assert.equal(file.mode, 0o104755n);
  assert.deepEqual([file.uid, file.gid, file.size, file.nlink], [1000n, 70_000n, 6n, 2n]);
  assert.equal(file.mtimeNs, 981_173_106_123_456_789n);
  assert.equal(at("d/hard").ino, file.ino);
  assert.equal(readlinkSync(join(directory, "bundle/rootfs/d/link")), "../d/file");
  assert.ok(at("d/fifo").isFIFO() && at("d/fifo").mode % 0o1000n === 0o600n);
  assert.deepEqual([at("d/node").isCharacterDevice(), at("d/node").rdev], [true, 0x103n]);
  assert.ok(at(`d/${"x".repeat(150)}`).isDirectory());
  assert.equal(at("d/old").mtimeMs, BigInt(Date.parse("1960-01-01T00:00:00Z")));
  const sparse = readFileSync(join(directory, "bundle/rootfs/d/sparse"));
  assert.deepEqual([sparse.length, sparse.indexOf("end")], [300 * 1024 * 1024, 200_000_000]);
  assert.ok(statSync(join(directory, "saved.tar")).size < 10_000_000);
  for (const gone of ["bin/ls", "etc/group"]) assert.throws(() => at(gone), /ENOENT/);
  for (const place of ["etc/hosts", "etc/resolv.conf"]) assert.throws(() => at(place), /ENOENT/);
  await removeAll(engine, id);
});

e2e("a commit keeps how the container was run, and an image on top of that has both", async (engine) => {
  const id = await startDetached(engine, ["--network", "none", "-e", "A=1", "-w", "/tmp", "-l", "k=v"]);
  await execOutput(engine, id, "touch", "/one");
  await answer(engine, "commit", id, "first");
  const next = (await answer(engine, "run", "-d", "--network", "none", "first")).trim();
  await execOutput(engine, next, "sh", "-c", "rm /one; touch /two");
  await answer(engine, "commit", "--pause=false", next, "second");
  const told = await answer(
    engine,
    "run",
    "--rm",
    "-q",
    "--network",
    "none",
    "second",
    "sh",
    "-c",
    "echo $A; pwd; cd /; echo [ot][nw]*",
  );
  assert.equal(told, "1\n/tmp\ntwo\n");
  await removeAll(engine, id, next);
});

e2e("an export is the whole root as GNU tar reads it, also of a container that has ended", async (engine) => {
  const id = await changed(engine);
  const archive = join(engine.directory, "exported.tar");
  const entries = () => execFileSync("tar", ["--numeric-owner", "-tvf", archive], { encoding: "utf8" });
  await answer(engine, "export", "-o", archive, id);
  const running = entries();
  assert.match(running, /^-rwsr-xr-x 1000\/70000 +6 2001-02-03 04:05 d\/file$/m);
  assert.match(running, /^hrwsr-xr-x 1000\/70000 +0 2001-02-03 04:05 d\/hard link to d\/file$/m);
  assert.match(running, /^crw-r--r-- 0\/0 +1,3 .* d\/node$/m);
  assert.match(running, /^-rw-r--r-- 0\/0 +314572800 .* d\/sparse$/m);
  assert.match(running, / bin\/cat( |$)/m);
  assert.doesNotMatch(running, / bin\/ls( |$)/m);
  await answer(engine, "kill", id);
  await answer(engine, "wait", id);
  await answer(engine, "export", "-o", archive, id);
  assert.equal(entries(), running);
  const { stdout } = await engine.call(["import", archive, "again"]);
  assert.match(stdout, /^sha256:/);
  assert.equal(await outputOf(engine, "true"), "");
  await removeAll(engine, id);
});

e2e("what is owned by the root of a user namespace is owned by root in what is made of it", async (engine) => {
  const id = await changed(engine, "--userns", "auto");
  await answer(engine, "commit", id, "mapped");
  const told = await answer(
    engine,
    "run",
    "--rm",
    "-q",
    "--network",
    "none",
    "mapped",
    "stat",
    "-c",
    "%u:%g",
    "/d/sub",
    "/d/file",
  );
  assert.equal(told, "0:0\n1000:2000\n");
  const archive = join(engine.directory, "mapped.tar");
  await answer(engine, "export", "-o", archive, id);
  const list = execFileSync("tar", ["--numeric-owner", "-tvf", archive], { encoding: "utf8" });
  assert.match(list, / 0\/0 .* d\/sub\/$/m);
  await removeAll(engine, id);
});

e2e("mistakes are told, and make nothing", async (engine) => {
  const refused = async (args: string[], reason: RegExp) => {
    const { status, stderr } = await engine.call(args);
    assert.equal(status, 125, args.join(" "));
    assert.match(stderr, reason);
  };
  await refused(["commit"], /'commit' needs a container/);
  await refused(["commit", "nosuch", "x"], /no container 'nosuch' here/);
  await refused(["commit", "-p", "perhaps", "nosuch"], /--pause is true or false/);
  await refused(["diff"], /'diff' needs one container/);
  await refused(["export", "-o", "/nosuch/file", "nosuch"], /no container 'nosuch' here/);
  const id = await startDetached(engine, ["--network", "none"]);
  await refused(["commit", id, "Upper"], /must be in lower case/);
  await refused(["commit", "-c", "FROM x", id], /bad change|unknown/);
  await refused(["export", "-o", "/nosuch/file", id], /there is no directory for/);
  await removeAll(engine, id);
});
