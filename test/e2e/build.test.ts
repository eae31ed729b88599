/** Dockerfiles become images: instructions, stages, the cache. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build, buildIn, contextOf, printed, stepsOf } from "./build-context.ts";
import { e2e } from "./harness.ts";

const DOCKERFILE = `
ARG BASE=busybox
FROM $BASE AS first
ARG WHO=world
ENV GREETING="hello $WHO" PATH=/opt/bin:$PATH
RUN echo "$GREETING from $WHO" >/greeting && echo dora:x:1234:1234::/home/dora:/bin/sh >>/etc/passwd
WORKDIR /srv/app
COPY --chown=dora:1234 --chmod=u=rwX,g=rX,o= files/ ./
RUN pwd >where && id -un dora && rm /bin/wget
LABEL org.example.one="1" two=2
EXPOSE 80 53/udp
VOLUME /data
STOPSIGNAL SIGQUIT
USER dora
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["cat /greeting"]
`;

e2e("an image has what its Dockerfile says, files and configuration", async (engine) => {
  const files = { Dockerfile: DOCKERFILE, "files/a.txt": "a\n", "files/sub/b.txt": "b\n" };
  await build(engine, files, ["-t", "mine:1", "--build-arg", "WHO=you"]);
  assert.equal(await printed(engine, "mine:1"), "hello you from you\n");
  assert.equal(
    await printed(engine, "mine:1", "pwd; id -un; cat where a.txt sub/b.txt; echo $PATH"),
    [
      "/srv/app",
      "dora",
      "/srv/app",
      "a",
      "b",
      "/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "",
    ].join("\n"),
  );
  const listed = await printed(engine, "mine:1", "ls -ln a.txt /greeting; ls -ld sub; ls /bin/wget 2>&1 | wc -l");
  assert.match(listed, /^-rw-r----- +1 1234 +1234 .* a\.txt$/m);
  assert.match(listed, /^-rw-r--r-- +1 0 +0 .* \/greeting$/m);
  const { stdout } = await engine.call(["inspect", "mine:1"]);
  const { config } = JSON.parse(stdout)[0].configuration;
  assert.deepEqual(config.Labels, { "org.example.one": "1", two: "2" });
  assert.deepEqual(Object.keys(config.ExposedPorts).sort(), ["53/udp", "80/tcp"]);
  assert.deepEqual([config.StopSignal, config.User, config.WorkingDir], ["SIGQUIT", "dora", "/srv/app"]);
  assert.deepEqual([config.Entrypoint, config.Cmd], [["/bin/sh", "-c"], ["cat /greeting"]]);
  assert.deepEqual(Object.keys(config.Volumes), ["/data"]);
});

e2e(
  "what others unpack of a built image is what its container sees, and mount points are no part of it",
  async (engine) => {
    const Dockerfile = `
FROM scratch
COPY bin/busybox /bin/
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p /d/e && echo x >/d/f && ln /d/f /d/g && ln -s f /d/h && chmod 4711 /d/f && mkfifo /d/p && rm /bin/vi
RUN rm -r /d/e && mkdir /d/e && echo new >/d/e/new && setfattr -n user.x -v 1 /d/f 2>/dev/null; echo tmp >/tmp-file; mkdir /tmp; echo t >/tmp/kept
`;
    const busybox = execFileSync("cat", ["/bin/busybox"], { maxBuffer: 64 << 20 });
    const context = contextOf(engine, { Dockerfile, "bin/busybox": busybox });
    execFileSync("chmod", ["755", join(context, "bin/busybox")]);
    await buildIn(engine, context, ["-t", "whole"]);
    const run = (program: string, ...args: string[]) =>
      execFileSync(program, args, { cwd: context, encoding: "utf8", stdio: "pipe" });
    await engine.call(["save", "-o", join(context, "saved.tar"), "whole"]);
    run("skopeo", "copy", "-q", "docker-archive:saved.tar", "oci:layout:x");
    run("umoci", "unpack", "--image", "layout:x", "bundle");
    const listing = "find . -mindepth 1 -printf '%p %y %m %U %G %s %n %l %T@\\n' | grep -v ' d ' | sort";
    const theirs = run("sh", "-c", `cd bundle/rootfs && ${listing}`);
    const { stdout: id } = await engine.call(["run", "-d", "--network", "none", "whole", "/bin/sleep", "1000"]);
    const exported = join(context, "exported");
    execFileSync("mkdir", [exported]);
    await engine.call(["export", "-o", join(context, "exported.tar"), id.trim()]);
    await engine.call(["rm", "-f", id.trim()]);
    run("tar", "-C", exported, "--xattrs", "-xpf", join(context, "exported.tar"));
    const ours = run("sh", "-c", `cd exported && rm -rf etc/hosts etc/hostname etc/resolv.conf dev && ${listing}`);
    assert.equal(ours, theirs);
    assert.match(theirs, /^\.\/d\/f f 4711 0 0 2 2 /m);
    assert.match(theirs, /^\.\/tmp\/kept f /m);
    const top = readdirSync(join(context, "bundle/rootfs")).sort();
    assert.deepEqual(top, ["bin", "d", "tmp", "tmp-file"]);
  },
);

e2e("steps are taken from the cache until something that they depend on is other", async (engine) => {
  const Dockerfile = `
FROM busybox
ARG FLAVOUR=plain
RUN echo one >/one
COPY a.txt /a
RUN cat /a >/two
LABEL made=1
ARG LATE
RUN echo $LATE >/three
`;
  const context = contextOf(engine, { Dockerfile, "a.txt": "1", "other.txt": "x" });
  const first = await buildIn(engine, context, ["-t", "cached"]);
  assert.equal(stepsOf(first).done.length, 4);
  const again = await buildIn(engine, context, ["-t", "cached"]);
  assert.deepEqual([again.id, stepsOf(again).done], [first.id, []]);
  utimesSync(join(context, "a.txt"), 1, 1);
  writeFileSync(join(context, "other.txt"), "y");
  assert.deepEqual(stepsOf(await buildIn(engine, context)).done, []);
  writeFileSync(join(context, "a.txt"), "2");
  const changed = await buildIn(engine, context);
  assert.deepEqual(stepsOf(changed).cached, ["RUN echo one >/one"]);
  assert.equal(await printed(engine, changed.id, "cat", "/two"), "2");
  const late = await buildIn(engine, context, ["--build-arg", "LATE=late"]);
  assert.deepEqual(stepsOf(late).done, ["RUN echo $LATE >/three"]);
  assert.equal(await printed(engine, late.id, "cat", "/three"), "late\n");
  assert.equal(stepsOf(await buildIn(engine, context, ["--build-arg", "FLAVOUR=other"])).done.length, 4);
  assert.equal(stepsOf(await buildIn(engine, context, ["--no-cache"])).cached.length, 0);
  assert.equal((await engine.call(["system", "check"])).status, 0);
  await engine.call(["builder", "prune", "-f"]);
  assert.equal(stepsOf(await buildIn(engine, context)).cached.length, 0);
  assert.match((await engine.call(["system", "check"])).stdout, /all is well/);
});

e2e("stages are built side by side, each once, and only those that are needed", async (engine) => {
  const meet = "RUN --mount=type=cache,id=meet,target=/meet";
  const Dockerfile = `
FROM busybox AS common
RUN mkdir -p /common && echo common >/common/c
FROM common AS left
${meet} mkfifo /meet/f 2>/dev/null; echo from left >/meet/f; touch /left
FROM common AS right
${meet} mkfifo /meet/f 2>/dev/null; cat /meet/f >/right
FROM busybox AS unused
RUN false
FROM scratch AS last
COPY --from=left /left /common/c /x/
COPY --from=right right /x/
COPY --from=busybox /bin/busybox /bin/cat
CMD ["/bin/cat", "/x/right"]
`;
  const built = await build(engine, { Dockerfile }, ["-t", "meeting"]);
  assert.equal(await printed(engine, "meeting"), "from left\n");
  assert.equal(stepsOf(built).done.filter((line) => line.includes("/common/c") && line.startsWith("RUN")).length, 1);
  const target = await build(engine, { Dockerfile }, ["--target", "common"]);
  assert.equal(await printed(engine, target.id, "cat", "/common/c"), "common\n");
  const wrong = await engine.call(["build", "--target", "commn", target.context]);
  assert.deepEqual([wrong.status, wrong.stderr.includes("did you mean 'common'?")], [125, true], wrong.stderr);
});

e2e(
  "heredocs are scripts and files; ONBUILD is carried out by the next image; SHELL and HEALTHCHECK stay",
  async (engine) => {
    const Dockerfile = `
FROM busybox
RUN <<EOF
set -e
echo one >/one
echo "two $((1 + 1))" >/two
EOF
RUN <<-"X"
#!/bin/sh -e
	echo "script \${0##*/}" >/three
X
COPY <<a.txt <<"b.txt" /files/
in a: $HOME
a.txt
in b: $HOME
b.txt
RUN cat <<EOF >/four
$((2 * 2))
EOF
SHELL ["/bin/sh", "-ec"]
RUN false || echo shell >/five
HEALTHCHECK --interval=3s --retries=2 CMD test -e /one
ONBUILD COPY extra /extra
ONBUILD RUN cat /extra >/built
`;
    await build(engine, { Dockerfile }, ["-t", "parent"]);
    const text = await printed(engine, "parent", "sh", "-c", "cat /one /two /three /files/* /four /five");
    assert.equal(text, "one\ntwo 2\nscript X\nin a: \nin b: $HOME\n4\nshell\n");
    const { config } = JSON.parse((await engine.call(["inspect", "parent"])).stdout)[0].configuration;
    assert.deepEqual(config.Healthcheck, { Test: ["CMD-SHELL", "test -e /one"], Interval: 3e9, Retries: 2 });
    assert.deepEqual(config.Shell, ["/bin/sh", "-ec"]);
    const child = await build(engine, { Dockerfile: "FROM parent\nRUN echo child >/child\n", extra: "more\n" });
    assert.equal(await printed(engine, child.id, "cat", "/built", "/child"), "more\nchild\n");
    assert.deepEqual(stepsOf(child).done, ["COPY extra /extra", "RUN cat /extra >/built", "RUN echo child >/child"]);
  },
);
