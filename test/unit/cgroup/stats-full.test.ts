import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fullV1, fullV2, hugepageSizes, type Reader } from "../../../src/cgroup/stats-full.ts";
import { blockIoTable, integerOf, membersOfSet } from "../../../src/cgroup/stats-numbers.ts";
import { parseNetDev } from "../../../src/network/counters.ts";
import { statsEvent } from "../../../src/oci/stats-event.ts";
import { stringifyExact } from "../../../src/spec/json.ts";

const files =
  (texts: Readonly<Record<string, string>>): Reader =>
  (_, file) =>
    texts[file];

const V1: Readonly<Record<string, string>> = {
  "cpu.stat": "nr_periods 10\nnr_throttled 3\nthrottled_time 123456789\nnr_bursts 0\nburst_time 0\n",
  "cpuacct.usage": "7020267\n",
  "cpuacct.usage_sys": "5000000\n",
  "cpuacct.usage_user": "2020267\n",
  "cpuacct.usage_percpu": "5152932 1867335 \n",
  "cpuacct.usage_percpu_sys": "5000000 0 \n",
  "cpuacct.usage_percpu_user": "152932 1867335 \n",
  "cpuset.cpus": "0-1\n",
  "cpuset.mems": "0\n",
  "cpuset.sched_load_balance": "1\n",
  "cpuset.sched_relax_domain_level": "-1\n",
  "memory.stat": "cache 4096\nrss 53248\nhierarchical_memsw_limit 9223372036854771712\nactive_anon 4096\n",
  "memory.limit_in_bytes": "67108864\n",
  "memory.usage_in_bytes": "856064\n",
  "memory.max_usage_in_bytes": "2502656\n",
  "memory.failcnt": "2\n",
  "memory.memsw.limit_in_bytes": "9223372036854771712\n",
  "memory.memsw.usage_in_bytes": "856064\n",
  "memory.memsw.max_usage_in_bytes": "2502656\n",
  "memory.memsw.failcnt": "0\n",
  "memory.kmem.usage_in_bytes": "524288\n",
  "pids.current": "1\n",
  "pids.max": "50\n",
  "blkio.throttle.io_service_bytes_recursive": "8:0 Read 4096\n8:0 Write 0\n8:0 Total 4096\nTotal 4096\n",
  "blkio.bfq.io_service_bytes_recursive": "Total 0\n",
  "blkio.bfq.time_recursive": "8:16 7\n",
  "hugetlb.2MB.usage_in_bytes": "2097152\n",
  "hugetlb.2MB.max_usage_in_bytes": "4194304\n",
  "hugetlb.2MB.failcnt": "5\n",
};

const V2: Readonly<Record<string, string>> = {
  "cpu.stat":
    "usage_usec 9007199254740993\nuser_usec 20\nsystem_usec 10\nnr_periods 4\nnr_throttled 2\nthrottled_usec 8\n",
  "cpu.pressure": "some avg10=1.50 avg60=0.25 avg300=0.00 total=1234\n",
  "cpuset.cpus.effective": "0,2-3\n",
  "cpuset.mems.effective": "0\n",
  "memory.stat": "anon 8192\nfile 4096\n",
  "memory.max": "67108864\n",
  "memory.current": "1048576\n",
  "memory.peak": "2097152\n",
  "memory.events": "low 0\nhigh 0\nmax 6\noom 1\noom_kill 1\n",
  "memory.swap.current": "4096\n",
  "memory.swap.max": "1000\n",
  "memory.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
  "pids.current": "3\n",
  "pids.max": "max\n",
  "io.stat": "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n",
  "hugetlb.1GB.current": "0\n",
  "hugetlb.1GB.events": "max 9\n",
};

const interfaces = parseNetDev(`Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
  eth0:    1000      10    1    2    0     0          0         0     2000      20    3    4    0     0       0          0
`);

// `UPDATE_GOLDEN=1 npm run test:unit` writes these files anew.
for (const [name, stats] of [
  ["v1", fullV1(files(V1), ["2MB", "1GB"])],
  ["v2", fullV2(files(V2), ["2MB", "1GB"])],
] as const)
  test(`the event of statistics is as in golden/stats-event-${name}.json`, () => {
    const event = `${stringifyExact(statsEvent("web", stats, interfaces), 2)}\n`;
    const golden = new URL(`./golden/stats-event-${name}.json`, import.meta.url);
    if (process.env.UPDATE_GOLDEN === "1") writeFileSync(golden, event);
    assert.equal(event, readFileSync(golden, "utf8"));
  });

test("a cgroup without any files counts nothing", () => {
  for (const stats of [fullV1(() => undefined, ["2MB"]), fullV2(() => undefined, ["2MB"])]) {
    assert.equal(stats.memory.usage.usage, 0);
    assert.deepEqual(stats.pids, { current: 0, limit: 0 });
    assert.equal(stats.hugepages.size, 0);
  }
});

test("with version 2, swap is reported together with memory, and unlimited if either is", () => {
  const { swap } = fullV2(files(V2), []).memory;
  assert.equal(swap.limit, 67108864 + 1000);
  assert.equal(swap.usage, 1048576 + 4096);
  const unlimited = fullV2(files({ ...V2, "memory.max": "max\n" }), []).memory;
  assert.equal(unlimited.swap.limit, 2n ** 64n - 1n);
  assert.equal(unlimited.usage.limit, 2n ** 64n - 1n);
});

test("numbers of 64 bits survive, and what is no number is 0", () => {
  assert.equal(integerOf("9223372036854771712\n"), 9223372036854771712n);
  assert.equal(integerOf("12\n"), 12);
  assert.equal(integerOf("-1"), -1);
  for (const text of [undefined, "", "x", "1 2", "1e9", "9".repeat(30)]) assert.equal(integerOf(text), 0);
});

test("a set of CPUs is a list of numbers, and a huge one has an end", () => {
  assert.deepEqual(membersOfSet("0-2,7\n"), [0, 1, 2, 7]);
  assert.deepEqual(membersOfSet("\n"), []);
  assert.deepEqual(membersOfSet("a-b,3"), [3]);
  assert.ok(membersOfSet("0-99999").length <= 65_537);
});

test("the sum over all devices is no device", () => {
  assert.deepEqual(blockIoTable("8:0 Read 1\n8:16 7\nTotal 8\n"), [
    { major: 8, minor: 0, operation: "Read", value: 1 },
    { major: 8, minor: 16, operation: "", value: 7 },
  ]);
});

test("sizes of huge pages are called as cgroups call them", () => {
  assert.deepEqual(hugepageSizes(["hugepages-2048kB", "hugepages-1048576kB", "hugepages-64kB", "other"]), [
    "2MB",
    "1GB",
    "64KB",
  ]);
});

test("an interface may have a colon in its name", () => {
  const [one] = parseNetDev("\n\neth0:1: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n");
  assert.equal(one?.name, "eth0:1");
  assert.equal(one?.txDropped, 8);
});
