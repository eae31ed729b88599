import assert from "node:assert/strict";
import { test } from "node:test";
import type { BuildEvent } from "../../../src/build/events.ts";
import { buildLines, formatTook, quietTeller } from "../../../src/cli/build-progress.ts";

const STEP = { number: 1, stage: undefined, position: "1/2", source: "RUN <<EOF\nmake\nEOF" };
const PLAIN = { isColoured: false };

test("a step is told by its first line, what it writes, and how long it took", () => {
  assert.deepEqual(buildLines({ kind: "started", step: STEP }, PLAIN), ["[1/2] RUN <<EOF ..."]);
  const text = "one\ntwo 10%\rtwo 20%\r\n";
  assert.deepEqual(buildLines({ kind: "output", step: STEP, stream: "stdout", text }, PLAIN), ["| one", "| two 20%"]);
  const ended = { kind: "ended", step: STEP, isCached: false, tookMs: 1234 } as const;
  assert.deepEqual(buildLines(ended, PLAIN), ["[1/2] done in 1.2 s"]);
  assert.deepEqual(buildLines({ ...ended, isCached: true }, PLAIN), ["[1/2] RUN <<EOF ... (cached)"]);
});

test("with several stages each line names its own", () => {
  const step = { ...STEP, stage: "build" };
  const lines = buildLines({ kind: "output", step, stream: "stderr", text: "x\n" }, PLAIN);
  assert.deepEqual(lines, ["[build 1/2] | x"]);
});

test("times are told in the unit that fits", () => {
  assert.deepEqual([0, 999, 1000, 59_900, 60_000, 125_000].map(formatTook), [
    "0 ms",
    "999 ms",
    "1.0 s",
    "59.9 s",
    "1m 0s",
    "2m 5s",
  ]);
});

test("quietly, only what a program that fails has written is told, and warnings", () => {
  const told: string[] = [];
  const tell = quietTeller((text) => told.push(text));
  const other = { ...STEP, number: 2 };
  const events: BuildEvent[] = [
    { kind: "started", step: STEP },
    { kind: "output", step: STEP, stream: "stdout", text: "fine\n" },
    { kind: "output", step: other, stream: "stderr", text: "broken\n" },
    { kind: "ended", step: STEP, isCached: false, tookMs: 1 },
    { kind: "warning", text: "careful" },
    { kind: "failed", step: other, tookMs: 1 },
  ];
  for (const event of events) tell(event);
  assert.deepEqual(told, ["warning: careful", "broken"]);
});
