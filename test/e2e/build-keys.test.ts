/** What changes a step's result changes its key: it is done again, and not taken from the cache. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
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
  const Dockerfile = "FROM busybox AS made\nADD a.tar /made/\nFROM busybox\nCOPY --from=made /made /copied\n";
  const context = contextOf(engine, { Dockerfile, program: "program" });
  const pack = (value: string) =>
    execFileSync("tar", [
      ...["-C", context, "--format", "pax", "--pax-option", `SCHILY.xattr.user.mine:=${value}`],
      ...["-cf", join(context, "a.tar"), "program"],
    ]);
  pack("one");
  await buildIn(engine, context);
  pack("two");
  assert.deepEqual(stepsOf(await buildIn(engine, context)).done, [
    "ADD a.tar /made/",
    "COPY --from=made /made /copied",
  ]);
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
