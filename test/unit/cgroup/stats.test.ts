import assert from "node:assert/strict";
import { test } from "node:test";
import { numberOf } from "../../../src/cgroup/file.ts";
import { sumIoStat, sumServiceBytes } from "../../../src/cgroup/stats.ts";
import { detailsV1, detailsV2, parsePressure } from "../../../src/cgroup/stats-details.ts";

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

const files = (contents: Record<string, string>) => (_controller: string, file: string) => contents[file];

test("details of version 2 are in nanoseconds and bytes", () => {
  const text = files({
    "cpu.stat": "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 5\nnr_throttled 2\nthrottled_usec 7\n",
    "memory.stat": "anon 4096\nfile 8192\nkernel 1\n",
    "memory.swap.current": "123\n",
    "cpu.pressure": "some avg10=1.50 avg60=0.20 avg300=0.00 total=77\n",
  });
  assert.deepEqual(detailsV2(text), {
    cpuUserNs: 20_000,
    cpuSystemNs: 10_000,
    throttledPeriods: 2,
    throttledNs: 7000,
    anonBytes: 4096,
    fileBytes: 8192,
    swapBytes: 123,
    pressure: { cpu: { some: { avg10: 1.5, avg60: 0.2, avg300: 0, totalUs: 77 } } },
  });
});

test("details of version 1 count nested cgroups too", () => {
  const text = files({
    "cpu.stat": "nr_periods 5\nnr_throttled 2\nthrottled_time 7\n",
    "cpuacct.usage_user": "20\n",
    "cpuacct.usage_sys": "10\n",
    "memory.stat": "rss 1\ncache 2\ntotal_rss 4096\ntotal_cache 8192\n",
  });
  assert.deepEqual(detailsV1(text), {
    cpuUserNs: 20,
    cpuSystemNs: 10,
    throttledPeriods: 2,
    throttledNs: 7,
    anonBytes: 4096,
    fileBytes: 8192,
    swapBytes: undefined,
    pressure: {},
  });
});

test("what the kernel does not count is 0, or nothing", () => {
  assert.equal(detailsV2(files({})).cpuUserNs, 0);
  assert.equal(detailsV2(files({})).swapBytes, undefined);
  assert.equal(parsePressure(""), undefined);
});
