import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { start, startOnTerminal } from "../../e2e/harness.ts";

const directory = mkdtempSync(join(tmpdir(), "harness-"));
after(() => rmSync(directory, { recursive: true }));

test("output, status and standard input of a command are what it had", async () => {
  const { ended } = start(directory, ["sh", "-c", "cat; echo oops >&2; exit 3"], { stdin: "hello" });
  assert.deepEqual(await ended, { status: 3, stdout: "hello", stderr: "oops\n" });
});

test("a command that ends while its child keeps the output open has ended", async () => {
  const fifo = join(directory, "fifo");
  const { ended } = start(directory, ["sh", "-c", `mkfifo ${fifo}; (read line <${fifo}) & echo done`]);
  assert.equal((await ended).stdout, "done\n");
  writeFileSync(fifo, "the child may end now\n");
});

test("a signal shows in the status", async () => {
  assert.equal((await start(directory, ["sh", "-c", "kill -TERM $$"]).ended).status, 143);
});

test("a command that hangs is killed and reported", async () => {
  await assert.rejects(start(directory, ["sleep", "100"], { timeoutMs: 50 }).ended, /no end after 50 ms: sleep 100/);
});

test("what is waited for is seen when it is written", async () => {
  const running = start(directory, ["sh", "-c", "echo ready; read line; echo got $line"], { interactive: true });
  await running.sees("stdout", "ready");
  running.write("it\n");
  await running.sees("stdout", /got it/);
  assert.equal((await running.ended).status, 0);
});

test("waiting for what is never written ends with the command", async () => {
  await assert.rejects(start(directory, ["true"]).sees("stdout", "word"), /ended with 0 without word/);
});

test("a terminal is a terminal, takes input and another size", async () => {
  // stty(1) sets rows and columns one after the other.
  const sized = 'size=$(stty size); echo "$size"; [ "$size" != "33 101" ] || exit 5';
  const script = `tty; trap '${sized}' WINCH; echo ready; while :; do read line; done`;
  const terminal = startOnTerminal(directory, ["sh", "-c", script]);
  await terminal.sees("stdout", "ready");
  terminal.resize(33, 101);
  const { status, stdout } = await terminal.ended;
  assert.match(stdout, /\/dev\/pts\/\d+/);
  assert.match(stdout, /33 101/);
  assert.equal(status, 5);
});
