/** What changes a step's result changes its key: it is done again, and not taken from the cache. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildIn, contextOf, printed, stepsOf } from "./build-context.ts";
import { e2e } from "./harness.ts";

e2e("the part of a path that --parents keeps is part of the key", async (engine) => {
  const context = contextOf(engine, { Dockerfile: "FROM busybox\nCOPY --parents a/./b/c /x/\n", "a/b/c": "c" });
  const short = await buildIn(engine, context);
  writeFileSync(join(context, "Dockerfile"), "FROM busybox\nCOPY --parents a/b/c /x/\n");
  const long = await buildIn(engine, context);
  assert.equal(await printed(engine, short.id, "find", "/x", "-type", "f"), "/x/b/c\n");
  assert.equal(await printed(engine, long.id, "find", "/x", "-type", "f"), "/x/a/b/c\n");
});

e2e("an attribute of a file that is copied from another stage is part of the key", async (engine) => {
  // As setcap(8) would set it: cap_net_raw, permitted and effective.
  const value = (bits: string) => `0x0100000200${bits}0000000000000000000000000000`;
  const dockerfile = (bits: string) =>
    [
      "FROM busybox AS made",
      `RUN echo program >/program && setfattr -n security.capability -v ${value(bits)} /program`,
      "FROM busybox",
      "COPY --from=made /program /",
      "RUN getfattr -n security.capability /program 2>/dev/null | tail -n +2 >/seen; getfattr -d -m . /program",
    ].join("\n");
  const context = contextOf(engine, { Dockerfile: dockerfile("20") });
  const one = await buildIn(engine, context);
  writeFileSync(join(context, "Dockerfile"), dockerfile("30"));
  const other = await buildIn(engine, context);
  assert.deepEqual(
    stepsOf(other).done.filter((step) => step.startsWith("COPY")),
    ["COPY --from=made /program /"],
  );
  assert.notEqual(one.id, other.id);
});

e2e("what a program can see of the build's flags and of its mounts' owners is part of the key", async (engine) => {
  const mount = (options: string) => `RUN --mount=type=secret,id=s${options} stat -c '%a %u' /run/secrets/s >/secret`;
  const dockerfile = (options: string) =>
    ["FROM busybox", "RUN ulimit -n >/files; grep -c one /etc/hosts >/hosts; true", mount(options)].join("\n");
  const context = contextOf(engine, { Dockerfile: dockerfile(""), secret: "s" });
  const flags = ["--secret", `id=s,src=${join(context, "secret")}`];
  await buildIn(engine, context, flags);
  const limited = await buildIn(engine, context, [...flags, "--ulimit", "nofile=77", "--add-host", "one:10.0.0.1"]);
  assert.equal(await printed(engine, limited.id, "cat", "/files", "/hosts"), "77\n1\n");
  writeFileSync(join(context, "Dockerfile"), dockerfile(",mode=0444,uid=7"));
  const opened = await buildIn(engine, context, flags);
  assert.equal(await printed(engine, opened.id, "cat", "/secret"), "444 7\n");
  assert.deepEqual(stepsOf(await buildIn(engine, context, flags)).done, []);
});
