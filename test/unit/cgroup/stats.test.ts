import assert from "node:assert/strict";
import { test } from "node:test";
import { numberOf } from "../../../src/cgroup/file.ts";
import { sumIoStat, sumServiceBytes } from "../../../src/cgroup/stats.ts";

test("bytes of all devices are summed, of version 2", () => {
  const text = "8:0 rbytes=100 wbytes=20 rios=9 wios=9 dbytes=0 dios=0\n8:16 rbytes=1 wbytes=2 rios=1 wios=1\n7:0 \n";
  assert.deepEqual(sumIoStat(text), { ioReadBytes: 101, ioWriteBytes: 22 });
});

test("bytes of all devices are summed, of version 1, without the totals", () => {
  const text = "8:0 Read 100\n8:0 Write 20\n8:0 Sync 120\n8:0 Total 120\n8:16 Read 1\nTotal 121\n";
  assert.deepEqual(sumServiceBytes(text), { ioReadBytes: 101, ioWriteBytes: 20 });
});

test("a key is found by its whole name", () => {
  const text = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
  assert.equal(numberOf(text, "oom_kill"), 3);
  assert.equal(numberOf(text, "oom"), undefined);
  assert.equal(numberOf(undefined, "oom_kill"), undefined);
});
