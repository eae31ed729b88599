/** RUN: mounts, secrets, networks; how builds fail and end. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build, buildIn, contextOf, printed, stepsOf } from "./build-context.ts";
import { e2e } from "./harness.ts";

const dockerfile = (...lines: string[]) => ["FROM busybox", ...lines].join("\n");

e2e("mounts of RUN show what they are asked for, and leave nothing in the image", async (engine) => {
  const lines = [
    "RUN echo base >/base",
    "FROM busybox",
    "WORKDIR /w",
    "RUN --mount=type=bind,source=dir,target=ctx --mount=type=bind,from=0,source=/base,target=/b,rw cat ctx/f /b >/seen && echo gone >/b",
    "RUN --mount=type=bind,target=/c,rw echo changed >/c/dir/f && cat /c/dir/f >>/seen",
    "RUN --mount=type=tmpfs,target=/scratch/deep,size=64k df -k /scratch/deep | tail -1 | awk '{print $2}' >>/seen; ! dd if=/dev/zero of=/scratch/deep/x bs=1k count=100 2>/dev/null",
    "RUN --mount=type=bind,target=/ro ! touch /ro/x 2>/dev/null",
  ];
  const context = contextOf(engine, { Dockerfile: dockerfile(...lines), "dir/f": "from context\n" });
  const { id } = await buildIn(engine, context);
  assert.equal(await printed(engine, id, "cat", "/seen"), "from context\nbase\nchanged\n64\n");
  assert.equal(await printed(engine, id, "sh", "-c", "ls -d /w/ctx /b /c /scratch /ro 2>/dev/null | wc -l"), "0\n");
  assert.equal(readFileSync(join(context, "dir/f"), "utf8"), "from context\n");
});

e2e("a cache outlives builds, is never part of an image, and goes with builder prune", async (engine) => {
  const step = (text: string) =>
    `RUN --mount=type=cache,target=/root/.cache,sharing=locked ls /root/.cache >/before; echo x >/root/.cache/${text}`;
  const one = await build(engine, { Dockerfile: dockerfile(step("one")) });
  assert.equal(await printed(engine, one.id, "cat", "/before"), "");
  const two = await build(engine, { Dockerfile: dockerfile(step("two")) });
  assert.equal(await printed(engine, two.id, "cat", "/before"), "one\n");
  assert.equal(await printed(engine, two.id, "sh", "-c", "ls -A /root | wc -l"), "0\n");
  const { stdout } = await engine.call(["system", "df"]);
  assert.match(stdout, /^Build Cache +[1-9]/m);
  const pruned = await engine.call(["builder", "prune", "-f"]);
  assert.equal(pruned.status, 0, pruned.stderr);
  const three = await build(engine, { Dockerfile: dockerfile(step("three")) });
  assert.equal(await printed(engine, three.id, "cat", "/before"), "");
  await engine.call(["builder", "prune", "-f"]);
});

e2e("secrets are seen by the program that asks for them, and are nowhere afterwards", async (engine) => {
  const secret = "correct-horse-battery-staple";
  const Dockerfile = dockerfile(
    "RUN --mount=type=secret,id=token cat /run/secrets/token | wc -c >/length && stat -c '%a %u' /run/secrets/token >>/length",
    "RUN --mount=type=secret,id=token,target=/etc/deep/token,mode=0444,uid=5 stat -c '%a %u' /etc/deep/token >>/length",
    'RUN --mount=type=secret,id=var,env=VALUE test "$VALUE" = "from$(echo -)environment" && test ! -e /run/secrets',
    "RUN --mount=type=secret,id=other test ! -e /run/secrets/other",
    "RUN env | grep -c VALUE >>/length; test ! -e /etc/deep",
  );
  const context = contextOf(engine, { Dockerfile });
  const file = join(engine.directory, "token");
  writeFileSync(file, secret, { mode: 0o600 });
  const flags = ["-t", "secretive", "--secret", `id=token,src=${file}`, "--secret", "id=var,env=MY_VALUE"];
  await buildIn(engine, context, flags, { env: { MY_VALUE: "from-environment" } });
  assert.equal(await printed(engine, "secretive", "cat", "/length"), `${secret.length}\n400 0\n444 5\n0\n`);
  const grep = execFileSync("sh", ["-c", `grep -rlaE '${secret}|from-environment' "$0" || true`, engine.root], {
    encoding: "utf8",
  });
  assert.equal(grep, "");
  const required = contextOf(engine, { Dockerfile: dockerfile("RUN --mount=type=secret,id=none,required=true true") });
  const { status, stderr } = await engine.call(["build", required]);
  assert.equal(status, 125);
  assert.match(stderr, /Dockerfile:2: the secret 'none' is required.*--secret id=none/);
});

e2e("a secret in a variable is not on disk while its program runs", async (engine) => {
  const Dockerfile = dockerfile('RUN --mount=type=secret,id=v,env=V test -n "$V" && echo begun; sleep 1000');
  const flags = ["--secret", "id=v,env=MY_SECRET"];
  const building = engine.start(["build", ...flags, contextOf(engine, { Dockerfile })], {
    env: { MY_SECRET: "quite-a-secret" },
  });
  await building.sees("stderr", "| begun");
  const found = execFileSync("sh", ["-c", `grep -rla quite-a-secret "$0" || true`, engine.root], { encoding: "utf8" });
  assert.equal(found, "");
  building.signal("SIGINT");
  assert.equal((await building.ended).status, 130);
});

e2e("a program without a network has none", async (engine) => {
  const script = "ls /sys/class/net | tr '\\n' ' '";
  const Dockerfile = dockerfile(`RUN ${script} >/default`, `RUN --network=none ${script} >/none`);
  const { id } = await build(engine, { Dockerfile });
  assert.equal(await printed(engine, id, "cat", "/default", "/none"), "eth0 lo lo ");
});

e2e(
  "a program that fails ends the build with its words and its line; what was done is not done again",
  async (engine) => {
    const context = contextOf(engine, {
      Dockerfile: dockerfile(
        "RUN echo fine >/fine",
        "RUN echo to stdout; echo to stderr >&2; exit 3",
        "RUN echo never",
      ),
    });
    const failed = await engine.call(["build", "-t", "never", context]);
    assert.equal(failed.status, 1);
    for (const text of ["to stdout", "to stderr", "Dockerfile:3: ", "exit status 3"])
      assert.ok(failed.stderr.includes(text), failed.stderr);
    assert.ok(!failed.stderr.includes("RUN echo never"));
    assert.equal((await engine.call(["images", "-q", "never"])).stdout, "");
    writeFileSync(join(context, "Dockerfile"), dockerfile("RUN echo fine >/fine", "RUN echo mended"));
    assert.deepEqual(stepsOf(await buildIn(engine, context)).cached, ["RUN echo fine >/fine"]);
    const missing = contextOf(engine, { Dockerfile: dockerfile('RUN ["/no/such/program"]') });
    const { status, stderr } = await engine.call(["build", missing]);
    assert.notEqual(status, 0);
    assert.match(stderr, /\/no\/such\/program/);
  },
);

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  e2e(`${signal} ends a build and all that runs for it`, async (engine) => {
    const Dockerfile = dockerfile(
      "RUN echo begun; sleep 1000",
      "FROM busybox",
      "RUN echo second; sleep 1000",
      "FROM scratch",
      "COPY --from=0 / /",
      "COPY --from=1 / /",
    );
    const building = engine.start(["build", contextOf(engine, { Dockerfile })]);
    await building.sees("stderr", "| begun");
    await building.sees("stderr", "| second");
    building.signal(signal);
    const { status, stderr } = await building.ended;
    assert.equal(status, code, stderr);
    assert.match(stderr, /the build was interrupted/);
    assert.equal((await engine.call(["ps", "-aq"])).stdout, "");
  });
}

e2e("what a killed build leaves is cleared away by the next command", async (engine) => {
  const building = engine.start(["build", contextOf(engine, { Dockerfile: dockerfile("RUN echo begun; sleep 1000") })]);
  await building.sees("stderr", "| begun");
  building.signal("SIGKILL");
  await building.ended;
  await engine.call(["ps", "-a"]);
  await build(engine, { Dockerfile: dockerfile("RUN true") });
  const images = join(engine.root, "images");
  assert.deepEqual(readdirSync(join(images, "staging")), []);
  assert.ok(existsSync(join(images, "references")));
  assert.match((await engine.call(["system", "check"])).stdout, /all is well/);
});

e2e("an image that is built on keeps its layers, whatever is removed meanwhile", async (engine) => {
  await build(engine, { Dockerfile: dockerfile("RUN echo base >/base") }, ["-t", "soon-gone"]);
  await engine.call(["builder", "prune", "-f"]);
  const context = contextOf(engine, {
    Dockerfile:
      "FROM soon-gone\nRUN --mount=type=cache,id=gate,target=/g mkfifo /g/f; echo ready; cat /g/f; cat /base >/again\n",
  });
  const building = engine.start(["build", "-t", "kept", context]);
  await building.sees("stderr", "| ready");
  assert.equal((await engine.call(["rmi", "soon-gone"])).status, 0);
  const opener = contextOf(engine, {
    Dockerfile: dockerfile("RUN --mount=type=cache,id=gate,target=/g echo go >/g/f"),
  });
  await buildIn(engine, opener, ["--no-cache"]);
  const { status, stderr } = await building.ended;
  assert.equal(status, 0, stderr);
  assert.equal(await printed(engine, "kept", "cat", "/again"), "base\n");
  assert.match((await engine.call(["system", "check"])).stdout, /all is well/);
  await engine.call(["builder", "prune", "-f"]);
});

e2e("the place of a mount that lies behind a link is no part of the image either", async (engine) => {
  const Dockerfile = dockerfile(
    "RUN mkdir -p /links/real && ln -s real /links/short && ln -s /links/none /links/dangling",
    "RUN --mount=type=tmpfs,target=/links/short/a/b --mount=type=tmpfs,target=/links/dangling/c true",
  );
  const { id } = await build(engine, { Dockerfile });
  assert.equal(
    await printed(engine, id, "sh", "-c", "find /links | sort"),
    "/links\n/links/dangling\n/links/real\n/links/short\n",
  );
});

e2e("caches that are locked are waited for in one order, and one may be mounted twice", async (engine) => {
  const cache = (id: string, target = `/${id}`) => `--mount=type=cache,sharing=locked,id=${id},target=${target}`;
  const Dockerfile = [
    "FROM busybox AS one",
    `RUN ${cache("a")} ${cache("b")} ${cache("a", "/again")} touch /a/x && test -e /again/x && touch /one`,
    "FROM busybox AS two",
    `RUN ${cache("b")} ${cache("a")} touch /two`,
    "FROM scratch",
    "COPY --from=one /one /",
    "COPY --from=two /two /",
  ].join("\n");
  await build(engine, { Dockerfile }, ["--no-cache"]);
});

e2e("a build that waits for another one's cache ends when it is told to", async (engine) => {
  const step = (command: string) => dockerfile(`RUN --mount=type=cache,sharing=locked,target=/c ${command}`);
  const first = engine.start(["build", contextOf(engine, { Dockerfile: step("echo holds; sleep 1000") })]);
  await first.sees("stderr", "| holds");
  const second = engine.start(["build", contextOf(engine, { Dockerfile: step("true") })]);
  await second.sees("stderr", "RUN --mount");
  second.signal("SIGINT");
  assert.equal((await second.ended).status, 130);
  first.signal("SIGTERM");
  assert.equal((await first.ended).status, 143);
});

e2e("what is told is what went wrong, not what was stopped for it", async (engine) => {
  const Dockerfile = [
    "FROM busybox AS bad",
    "RUN --mount=type=cache,id=go,target=/go mkfifo /go/f 2>/dev/null; cat /go/f; exit 3",
    "FROM busybox",
    "RUN --mount=type=cache,id=go,target=/go mkfifo /go/f 2>/dev/null; echo >/go/f; sleep 1000",
    "COPY --from=bad /x /x",
  ].join("\n");
  const { status, stderr } = await engine.call(["build", contextOf(engine, { Dockerfile })]);
  assert.equal(status, 1);
  assert.match(stderr, /\nmycontainer: Dockerfile:2: the program of 'RUN .*' ended with exit status 3\n$/);
});
