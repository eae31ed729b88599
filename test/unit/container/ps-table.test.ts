import assert from "node:assert/strict";
import { test } from "node:test";
import { psJson, psTable } from "../../../src/container/ps-table.ts";
import { Failure } from "../../../src/failure.ts";

const output = `UID        PID  PPID  C STIME TTY          TIME CMD
root         1     0  0 01:30 ?        00:00:00 /sbin/init
root     15687     1  0 01:30 ?        00:00:00 sleep 1000
root     15688 15687  0 01:30 ?        00:00:00 sleep 1
`;

test("only the container's processes are left, with the heading", () => {
  assert.equal(
    psTable([15687], output),
    "UID        PID  PPID  C STIME TTY          TIME CMD\nroot     15687     1  0 01:30 ?        00:00:00 sleep 1000\n",
  );
  assert.equal(psTable([], output), "UID        PID  PPID  C STIME TTY          TIME CMD\n");
});

test("the column of pids is found by its name, wherever it is", () => {
  assert.equal(psTable([7], "CMD   PID\nsh      7\nsh     77\n"), "CMD   PID\nsh      7\n");
});

test("output without pids, or with something else in their place, is an error", () => {
  assert.throws(() => psTable([1], "CMD\nsh\n"), Failure);
  assert.throws(() => psTable([1], ""), /couldn't find PID field/);
  assert.throws(() => psTable([1], "CMD PID\na b 1\n"), /unable to parse pid/);
});

test("programs get an array of pids", () => {
  assert.equal(psJson([3, 5]), "[3,5]");
  assert.equal(psJson([]), "null");
});
