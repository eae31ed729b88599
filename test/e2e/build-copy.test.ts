/** COPY and ADD: what goes where, with which attributes. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, linkSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, buildIn, contextOf, printed, stepsOf } from "./build-context.ts";
import { type Engine, e2e } from "./harness.ts";
import { tar } from "./tar.ts";

/** The files below a directory of an image, as `PATH TYPE`, without those of busybox. */
async function filesOf(engine: Engine, image: string, directory = "/t"): Promise<string> {
  return (await printed(engine, image, "sh", "-c", `cd ${directory} && find . | sort | tr '\\n' ' '`)).trim();
}

const dockerfile = (...lines: string[]) => ["FROM busybox", ...lines].join("\n");

e2e("sources and targets mean what they mean to docker", async (engine) => {
  const files = { "a.txt": "a", "b.txt": "b", "dir/c": "c", "dir/sub/d": "d", "x y": "blank" };
  const cases: [string[], string][] = [
    [["COPY a.txt /t/"], ". ./a.txt"],
    [["COPY a.txt /t"], "a file"],
    [["COPY dir /t"], ". ./c ./sub ./sub/d"],
    [["COPY dir/ /t/"], ". ./c ./sub ./sub/d"],
    [["COPY dir /t/new"], ". ./new ./new/c ./new/sub ./new/sub/d"],
    [["COPY *.txt /t/"], ". ./a.txt ./b.txt"],
    [["COPY a.txt dir /t/"], ". ./a.txt ./c ./sub ./sub/d"],
    [["COPY ./../a.txt /t/x"], ". ./x"],
    [['COPY ["x y", "/t/"]'], ". ./x y"],
    [["WORKDIR /t", "COPY a.txt sub/"], ". ./sub ./sub/a.txt"],
    [["WORKDIR /t", "COPY a.txt ."], ". ./a.txt"],
    [["RUN mkdir /t", "COPY a.txt /t"], ". ./a.txt"],
    [["RUN mkdir /real && ln -s real /t", "COPY a.txt /t/"], ". ./a.txt"],
    [["COPY dir/s?b /t/"], ". ./d"],
    [["COPY --parents dir/sub/d a.txt /t/"], ". ./a.txt ./dir ./dir/sub ./dir/sub/d"],
    [["COPY --parents dir/./sub/d /t/"], ". ./sub ./sub/d"],
    [["COPY --exclude=sub dir /t/"], ". ./c"],
    [["COPY --exclude=*.txt . /t/"], ". ./Dockerfile ./dir ./dir/c ./dir/sub ./dir/sub/d ./x y"],
    [["COPY --link dir /t/"], ". ./c ./sub ./sub/d"],
  ];
  for (const [lines, expected] of cases) {
    const { id } = await build(engine, { ...files, Dockerfile: dockerfile(...lines) });
    const found = expected === "a file" ? await printed(engine, id, "cat", "/t") : await filesOf(engine, id);
    assert.equal(found, expected === "a file" ? "a" : expected, lines.join("; "));
  }
});

e2e("what cannot be copied is refused, with the line and what to do", async (engine) => {
  const files = { "a.txt": "a", "b.txt": "b", "dir/c": "c" };
  const cases: [string, RegExp][] = [
    ["COPY missing /t", /Dockerfile:2: there is no 'missing' in the context/],
    ["COPY *.md /t/", /Dockerfile:2: nothing matches '\*\.md'/],
    ["COPY a.txt b.txt /t", /Dockerfile:2: several files .*\/t\//],
    ["RUN mkdir -p /t/a.txt\nCOPY a.txt /t/", /Dockerfile:3: cannot copy a file to \/t\/a\.txt: there is a directory/],
    ["RUN echo x >/t\nCOPY dir /t", /Dockerfile:3: .*\/t/],
    ["COPY --chown=nobody2 a.txt /t", /Dockerfile:2: .*nobody2/],
    ["COPY --chmod=9 a.txt /t", /Dockerfile:2: .*mode '9'/],
    ["COPY --from=5 a.txt /t", /Dockerfile:2: .*5/],
  ];
  for (const [line, reason] of cases) {
    const context = contextOf(engine, { ...files, Dockerfile: dockerfile(line) });
    const { status, stderr } = await engine.call(["build", context]);
    assert.equal(status, 125, line);
    assert.match(stderr, reason);
  }
});

e2e("modes, times, links and owners of copies", async (engine) => {
  const context = contextOf(engine, { "src/file": "x", "src/tool": "#!/bin/sh\n" });
  const at = (path: string) => join(context, "src", path);
  chmodSync(at("file"), 0o640);
  chmodSync(at("tool"), 0o4755);
  linkSync(at("file"), at("hard"));
  symlinkSync("file", at("link"));
  symlinkSync("/etc/shadow", at("absolute"));
  symlinkSync("src", join(context, "way"));
  execFileSync("chown", ["7:8", at("file")]);
  for (const name of ["file", "tool"]) utimesSync(at(name), 1_000_000_000.5, 1_000_000_000.25);
  writeFileSync(
    join(context, "Dockerfile"),
    dockerfile(
      "COPY src /plain/",
      "COPY --chown=12:34 --chmod=u=rwX,go=rX src /owned/",
      "COPY --chown=65534 way/file /by-way",
      "FROM busybox",
      "COPY --from=0 / /",
    ),
  );
  const { id } = await buildIn(engine, context);
  const show = "stat -c '%n %F %a %u %g %h %Y' /plain/* /owned /owned/* /by-way";
  const lines = (await printed(engine, id, "sh", "-c", show)).split("\n");
  const expected = [
    "/plain/file regular file 640 0 0 2 1000000000",
    "/plain/hard regular file 640 0 0 2 1000000000",
    "/plain/tool regular file 4755 0 0 1 1000000000",
    "/owned/file regular file 644 12 34 2 1000000000",
    "/owned/tool regular file 755 12 34 1 1000000000",
    "/by-way regular file 640 65534 65534 1 1000000000",
  ];
  for (const line of expected) assert.ok(lines.includes(line), `${line} in\n${lines.join("\n")}`);
  assert.ok(lines.some((line) => line.startsWith("/owned directory 755 12 34")));
  assert.equal(await printed(engine, id, "readlink", "/plain/link"), "file\n");
  assert.equal(await printed(engine, id, "readlink", "/plain/absolute"), "/etc/shadow\n");
});

e2e("links lead nowhere but into the context, and into the image", async (engine) => {
  const host = join(engine.directory, "of-the-host");
  mkdirSync(host);
  writeFileSync(join(host, "secret"), "not for images");
  const context = contextOf(engine, { "a.txt": "a" });
  symlinkSync(host, join(context, "out"));
  symlinkSync("../of-the-host", join(context, "up"));
  for (const source of ["out/secret", "up/secret", "out", `../of-the-host/secret`, `${host}/secret`]) {
    writeFileSync(join(context, "Dockerfile"), dockerfile(`COPY ${source} /t/`));
    const { status, stderr } = await engine.call(["build", context]);
    assert.deepEqual([status, /Dockerfile:2: there is no /.test(stderr)], [125, true], `${source}: ${stderr}`);
  }
  const lines = [
    `RUN ln -s ${host} /way && ln -s ../../../../../..${host} /up && ln -s ${host}/made /new`,
    "COPY a.txt /way/",
    "COPY a.txt /up/b.txt",
    "WORKDIR /new/deeper",
    // A container that is run has a /tmp of its own, where this lies.
    `RUN --mount=type=tmpfs,target=/way/mounted true && cd ${host} && find . ! -name mounted | sort | tr '\\n' ' ' >/seen`,
  ];
  writeFileSync(join(context, "Dockerfile"), dockerfile(...lines));
  const { id } = await buildIn(engine, context);
  assert.deepEqual(readdirSync(host), ["secret"]);
  assert.equal(await printed(engine, id, "cat", "/seen"), ". ./a.txt ./b.txt ./made ./made/deeper ");
});

e2e("extended attributes of archives and stages are kept", async (engine) => {
  const archive = tar({ name: "noted", data: "x", pax: { "SCHILY.xattr.user.note": "kept" } });
  const Dockerfile = `FROM scratch AS one\nADD a.tar /\nFROM scratch\nCOPY --from=one /noted /copy\n`;
  await build(engine, { Dockerfile, "a.tar": archive }, ["-t", "noted"]);
  const saved = join(engine.directory, "noted.tar");
  await engine.call(["save", "--format", "oci-archive", "-o", saved, "noted"]);
  const script = `mkdir noted && cd noted && tar -xf ../noted.tar && for b in blobs/sha256/*; do gunzip -c <$b 2>/dev/null; done | grep -a -o 'user.note=kept'`;
  assert.equal(execFileSync("sh", ["-c", script], { cwd: engine.directory, encoding: "utf8" }), "user.note=kept\n");
});

e2e("what .dockerignore names is not there, and what it names with ! is", async (engine) => {
  const files = {
    ".dockerignore": "*.log\nnode_modules\n!node_modules/keep\n**/secret*\n",
    "a.txt": "a",
    "b.log": "b",
    "node_modules/x/y": "1",
    "node_modules/keep/z": "2",
    "deep/er/secret.key": "3",
    "deep/er/open": "4",
    Dockerfile: dockerfile("COPY . /t/", "RUN --mount=type=bind,target=/m cd /m && find . -type f | sort >/seen"),
  };
  const expected = "./.dockerignore ./Dockerfile ./a.txt ./deep/er/open ./node_modules/keep/z";
  const { id } = await build(engine, files);
  const found = await printed(engine, id, "sh", "-c", "cd /t && find . -type f | sort | tr '\\n' ' '");
  assert.equal(found.trim(), expected);
  assert.equal((await printed(engine, id, "cat", "/seen")).trim().replaceAll("\n", " "), expected);
  const context = contextOf(engine, { ...files, Dockerfile: dockerfile("COPY b.log /") });
  const { stderr } = await engine.call(["build", context]);
  assert.match(stderr, /'b\.log'.*\.dockerignore/);
});

e2e("ADD unpacks archives of all kinds, downloads, and checks what it was told", async (engine) => {
  const archive = tar(
    { name: "in/", type: "5", mode: 0o750, uid: 5 },
    { name: "in/file", data: "text", uid: 5, gid: 6 },
  );
  const context = contextOf(engine, {
    "plain.tar": archive,
    "a.tar.gz": gzipSync(archive),
    "data.gz": gzipSync("no tar"),
  });
  for (const program of ["xz", "zstd", "bzip2"]) {
    execFileSync(program, ["-kq", "plain.tar"], { cwd: context });
  }
  const served = createServer((request, response) => {
    if (request.url === "/moved/file.bin") return response.writeHead(302, { location: "/file.bin" }).end();
    if (request.url !== "/file.bin") return response.writeHead(404).end();
    return response.writeHead(200, { "last-modified": "Sat, 03 Feb 2001 04:05:06 GMT" }).end("downloaded");
  });
  await new Promise<void>((resolve) => served.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(served.address() as AddressInfo).port}`;
  const digest = "sha256:4b7b0ea8b59b0f0cc5b7b4dd7a3ea9c5c0a2a02c5e7e1f0f7e3fd5e2a3c4d5e6";
  try {
    const lines = [
      ...["plain.tar", "a.tar.gz", "plain.tar.xz", "plain.tar.zst", "plain.tar.bz2"].map(
        (name) => `ADD ${name} /t/${name}/`,
      ),
      "ADD data.gz /t/",
      "ADD --unpack=false plain.tar /t/kept.tar",
      `ADD ${url}/moved/file.bin /t/`,
    ];
    writeFileSync(join(context, "Dockerfile"), dockerfile(...lines));
    const { id } = await buildIn(engine, context);
    const unpacked = await printed(
      engine,
      id,
      "sh",
      "-c",
      "cat /t/*/in/file; stat -c '%u %g %a' /t/a.tar.gz/in /t/a.tar.gz/in/file",
    );
    assert.equal(unpacked, "texttexttexttexttext5 0 750\n5 6 644\n");
    assert.equal(
      await printed(engine, id, "sh", "-c", "zcat /t/data.gz; cat /t/file.bin; stat -c ' %a %Y' /t/file.bin"),
      "no tardownloaded 600 981173106\n",
    );
    assert.equal(await printed(engine, id, "sh", "-c", "wc -c </t/kept.tar"), `${archive.length}\n`);
    for (const [line, reason] of [
      [`ADD ${url}/missing /t/`, /the server answers 404/],
      [`ADD --checksum=${digest} ${url}/file.bin /t/`, /is not what it should be/],
      [`ADD ${url}/ /t/`, /names no file/],
    ] as const) {
      writeFileSync(join(context, "Dockerfile"), dockerfile(line));
      const { status, stderr } = await engine.call(["build", context]);
      assert.equal(status, 125, stderr);
      assert.match(stderr, reason);
    }
  } finally {
    served.close();
  }
});

e2e("ADD fetches repositories: a branch, a directory of it, with and without .git", async (engine) => {
  const base = join(engine.directory, "repositories");
  const at = join(base, "one.git");
  mkdirSync(join(at, "sub"), { recursive: true });
  const git = (...args: string[]) =>
    execFileSync("git", ["-C", at, "-c", "user.name=t", "-c", "user.email=t@example.org", ...args], { stdio: "pipe" });
  git("init", "-q", "-b", "main");
  writeFileSync(join(at, "top"), "top");
  writeFileSync(join(at, "sub/file"), "on main");
  symlinkSync("/etc", join(at, "outside"));
  git("add", ".");
  git("commit", "-qm", "one");
  git("checkout", "-qb", "other");
  writeFileSync(join(at, "sub/file"), "on other");
  git("commit", "-qam", "two");
  git("checkout", "-q", "main");
  const flags = ["daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1", "--port=9419", `--base-path=${base}`];
  const daemon = spawn("git", [...flags, "--verbose", base], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => daemon.once("exit", resolve));
  try {
    await new Promise((resolve) => daemon.stderr.once("data", resolve));
    const url = "git://127.0.0.1:9419/one.git";
    const lines = [`ADD ${url} /all/`, `ADD ${url}#other:sub /t/`, `ADD --keep-git-dir=true ${url}#main /kept`];
    const { id, context } = await build(engine, { Dockerfile: dockerfile(...lines) });
    const script =
      "cd /; cat all/top all/sub/file t/file; readlink all/outside; ls -d all/.git kept/.git 2>/dev/null; true";
    assert.equal(await printed(engine, id, "sh", "-c", script), "topon mainon other/etc\nkept/.git\n");
    assert.deepEqual(stepsOf(await buildIn(engine, context)).done, []);
    for (const [line, reason] of [
      [`ADD ${url}#nothing /t/`, /git cannot get .*nothing/],
      [`ADD ${url}#main:outside /t/`, /there is no 'outside'/],
      [`ADD ${url}#--upload-pack=x /t/`, /is no branch, tag or commit/],
    ] as const) {
      const { status, stderr } = await engine.call(["build", contextOf(engine, { Dockerfile: dockerfile(line) })]);
      assert.equal(status, 125, stderr);
      assert.match(stderr, reason);
    }
  } finally {
    daemon.kill();
    await ended;
  }
});

e2e("a context comes from standard input: an archive, or a Dockerfile alone", async (engine) => {
  const context = tar({ name: "Dockerfile", data: dockerfile("COPY f /f") }, { name: "f", data: "piped" });
  const archive = join(engine.directory, "context.tar");
  writeFileSync(archive, gzipSync(context));
  const script = `exec "$0" build -q - <"$1"`;
  const { MYCONTAINER } = await import("./harness.ts");
  const built = execFileSync("sh", ["-c", script, MYCONTAINER, archive], {
    env: { ...process.env, ...engine.env },
    encoding: "utf8",
  });
  assert.match(built, /^sha256:[0-9a-f]{64}\n$/);
  assert.equal(await printed(engine, built.trim(), "cat", "/f"), "piped");
  const alone = await engine.call(["build", "-q", "-"], { stdin: dockerfile("RUN echo alone >/f") });
  assert.equal(alone.status, 0, alone.stderr);
  assert.equal(await printed(engine, alone.stdout.trim(), "cat", "/f"), "alone\n");
  const directory = contextOf(engine, { f: "beside" });
  const beside = await engine.call(["build", "-q", "-f", "-", directory], { stdin: dockerfile("COPY f /f") });
  assert.equal(await printed(engine, beside.stdout.trim(), "cat", "/f"), "beside");
  mkdirSync(join(directory, "sub"));
  writeFileSync(join(directory, "sub/My.Dockerfile"), dockerfile("COPY f /g"));
  const named = await engine.call(["build", "-q", "-f", join(directory, "sub/My.Dockerfile"), directory]);
  assert.equal(await printed(engine, named.stdout.trim(), "cat", "/g"), "beside");
});

e2e("a directory that was not there is as the one that is copied, and WORKDIR is the user's", async (engine) => {
  const Dockerfile = [
    "FROM busybox AS made",
    "RUN mkdir -m 2750 /made && chown 5:6 /made && echo x >/made/x",
    "FROM busybox",
    "RUN mkdir -m 1777 /there",
    "COPY --from=made /made /new",
    "COPY --from=made /made /there",
    "COPY private /private",
    "COPY --chown=9:9 private /owned",
    "COPY . /all",
    "USER 1000:7",
    "WORKDIR /work/deep",
  ].join("\n");
  const context = contextOf(engine, { Dockerfile, "private/f": "f" });
  chmodSync(join(context, "private"), 0o700);
  const { id } = await buildIn(engine, context);
  const seen = await printed(
    engine,
    id,
    ...["stat", "-c", "%n %a %u:%g", "/new", "/there", "/private", "/owned", "/all", "/work", "/work/deep"],
  );
  assert.deepEqual(seen.trim().split("\n"), [
    "/new 2750 5:6",
    "/there 1777 0:0",
    "/private 700 0:0",
    "/owned 700 9:9",
    "/all 755 0:0",
    "/work 755 1000:7",
    "/work/deep 755 1000:7",
  ]);
});

e2e("an archive's notes on what is not there take nothing away from what lies below", async (engine) => {
  const context = contextOf(engine, { Dockerfile: "FROM busybox\nADD --link a.tar /\nADD a.tar /\n", ".wh.sh": "" });
  execFileSync("tar", ["-C", context, "--transform", "s,^,bin/,", "-cf", join(context, "a.tar"), ".wh.sh"]);
  const { id } = await buildIn(engine, context);
  assert.equal(await printed(engine, id, "sh", "-c", "echo there"), "there\n");
});

e2e("a working directory, or one to copy to, that is a file is told as such", async (engine) => {
  const context = contextOf(engine, { Dockerfile: "", f: "f" });
  for (const line of ["WORKDIR /bin/sh", "WORKDIR /bin/sh/x", "COPY f /bin/sh/", "COPY --chown=1 f /bin/sh/x/y"]) {
    writeFileSync(join(context, "Dockerfile"), `FROM busybox\n${line}\n`);
    const { status, stderr } = await engine.call(["build", context]);
    assert.equal(status, 125);
    assert.match(stderr, /Dockerfile:2: \/bin\/sh.* cannot be a directory: there is a file/, line);
  }
});
