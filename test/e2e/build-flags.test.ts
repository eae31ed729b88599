/** The flags of build, and where its images come from. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { build, buildIn, contextOf, printed, stepsOf } from "./build-context.ts";
import { e2e } from "./harness.ts";
import { startRegistry } from "./real-registry.ts";

const dockerfile = (...lines: string[]) => ["FROM busybox", ...lines].join("\n");

e2e("images that are not here are pulled: to begin with, and to copy from", async (engine) => {
  const registry = await startRegistry(engine.directory, 5731);
  try {
    await build(engine, { Dockerfile: dockerfile("RUN echo pulled >/base", "ENV FROM_BASE=1") }, [
      "-t",
      `${registry.host}/base:1`,
    ]);
    assert.equal((await engine.call(["push", `${registry.host}/base:1`])).status, 0);
    await engine.call(["rmi", `${registry.host}/base:1`]);
    const base = `${registry.host}/base:1`;
    const Dockerfile = `FROM ${base} AS one\nRUN echo $FROM_BASE >/env\nFROM busybox\nCOPY --from=${base} /base /\nCOPY --from=one /env /\n`;
    const { id } = await build(engine, { Dockerfile });
    assert.equal(await printed(engine, id, "cat", "/base", "/env"), "pulled\n1\n");
    const missing = await engine.call(["build", contextOf(engine, { Dockerfile: `FROM ${registry.host}/nothing\n` })]);
    assert.equal(missing.status, 125);
    assert.match(missing.stderr, /nothing/);
  } finally {
    await registry.close();
  }
});

e2e("other contexts stand for names: directories and images", async (engine) => {
  const other = contextOf(engine, { file: "other context", left: "x", ".dockerignore": "left\n" });
  await build(engine, { Dockerfile: dockerfile("RUN echo replaced >/who") }, ["-t", "instead"]);
  const Dockerfile =
    "FROM golang AS base\nCOPY --from=assets file /\nRUN --mount=type=bind,from=assets,target=/m cat /m/file >/seen\n";
  const flags = ["--build-context", `assets=${other}`, "--build-context", "golang=docker-image://instead"];
  const { id } = await build(engine, { Dockerfile }, flags);
  assert.equal(await printed(engine, id, "cat", "/who", "/file", "/seen"), "replaced\nother contextother context");
  const ignored = contextOf(engine, { Dockerfile: "FROM scratch\nCOPY --from=assets left /\n" });
  assert.match((await engine.call(["build", ...flags, ignored])).stderr, /'left'.*\.dockerignore/);
});

e2e("labels, hosts, limits, an agent's socket and the id's file are as asked for", async (engine) => {
  const socket = join(engine.directory, "agent.sock");
  const agent = createServer(() => {}).listen(socket);
  await new Promise((resolve) => agent.once("listening", resolve));
  try {
    const lines = [
      "RUN grep '10.1.2.3' /etc/hosts >/hosts; ulimit -n >/limit; df -k /dev/shm | tail -1 | awk '{print $2}' >/shm",
      "RUN --mount=type=ssh test -S $SSH_AUTH_SOCK && echo $SSH_AUTH_SOCK >/agent",
      'RUN test -z "$SSH_AUTH_SOCK" && test ! -e /run/buildkit',
    ];
    const flags = [
      "--label",
      "a=b",
      "--add-host",
      "db:10.1.2.3",
      "--ulimit",
      "nofile=77:88",
      "--shm-size",
      "1m",
      "--ssh",
      `default=${socket}`,
    ];
    const { id, context } = await build(engine, { Dockerfile: dockerfile(...lines) }, ["-t", "flagged", ...flags]);
    const seen = await printed(engine, id, "cat", "/hosts", "/limit", "/shm", "/agent");
    assert.equal(seen.replace("\t", " "), "10.1.2.3 db\n77\n1024\n/run/buildkit/ssh_agent.0\n");
    const { stdout } = await engine.call(["inspect", "flagged"]);
    assert.deepEqual(JSON.parse(stdout)[0].configuration.config.Labels, { a: "b" });
    const quiet = await engine.call(["build", "-q", "--iidfile", join(engine.directory, "iid"), ...flags, context]);
    assert.deepEqual([quiet.stderr, quiet.stdout], ["", `${readFileSync(join(engine.directory, "iid"), "utf8")}\n`]);
  } finally {
    await new Promise((resolve) => agent.close(resolve));
  }
});

e2e(
  "one stage is known by what it copies, not by when: a rebuilt stage with the same files changes nothing",
  async (engine) => {
    const Dockerfile = (salt: string) =>
      `FROM busybox AS made\nRUN echo ${salt} >/dev/null; echo same >/out; touch -d @0 /out\nFROM busybox\nCOPY --from=made /out /\nRUN cat /out >/end\n`;
    const context = contextOf(engine, { Dockerfile: Dockerfile("one") });
    const first = await buildIn(engine, context);
    writeFileSync(join(context, "Dockerfile"), Dockerfile("two"));
    const second = await buildIn(engine, context);
    assert.deepEqual(stepsOf(second).cached, ["COPY --from=made /out /", "RUN cat /out >/end"]);
    assert.equal(second.id, first.id);
  },
);

e2e("mistakes are told with their line, before anything is done", async (engine) => {
  const cases: [string, RegExp][] = [
    ["FORM busybox", /Dockerfile:1: .*FROM/],
    ["FROM busybox\nRUNN echo", /Dockerfile:2: .*RUN/],
    ["FROM busybox\nCOPY a", /Dockerfile:2: .*COPY/],
    ["RUN echo", /Dockerfile:1: /],
    ["FROM busybox\nRUN <<EOF\necho", /Dockerfile:2: .*EOF/],
    ["", /no|empty/],
  ];
  for (const [text, reason] of cases) {
    const { status, stderr } = await engine.call(["build", contextOf(engine, { Dockerfile: text })]);
    assert.equal(status, 125, text);
    assert.match(stderr, reason);
  }
  const empty = await engine.call(["build", contextOf(engine, { other: "" })]);
  assert.match(empty.stderr, /there is no Dockerfile in the context/);
  const nowhere = await engine.call(["build", join(engine.directory, "nowhere")]);
  assert.match(nowhere.stderr, /there is no directory/);
  assert.match((await engine.call(["build"])).stderr, /needs a context/);
});
