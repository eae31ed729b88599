/** Real programs of a real distribution: a Debian image, containers of it in the background, and their clients. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { get } from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { Engine, Running } from "./harness.ts";

/** Where the registry of the test is, and under what name the image comes from there. */
export const REGISTRY_PORT = 5720;
export const IMAGE = `localhost:${REGISTRY_PORT}/debian:12`;
const HOST = "127.0.0.1";

/** What `fetch-debian` has made: a root file system, and a part of Debian's archive. Found again by any later call. */
export function debianFiles(): { rootfs: string; repository: string } {
  const script = fileURLToPath(new URL("fetch-debian", import.meta.url));
  const directory = execFileSync(script, { encoding: "utf8" }).trim();
  return { rootfs: join(directory, "rootfs.tar.zst"), repository: join(directory, "repository") };
}

/** Runs a command in a container of the image, with as much of the machine as it can use; its output. */
export async function inDebian(engine: Engine, flags: string[], ...command: string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.call(["run", "-q", "--cpus", "0", ...flags, IMAGE, ...command], {
    timeoutMs: 60_000,
  });
  assert.equal(status, 0, `${stderr}${stdout}`);
  return stdout;
}

export type Service = {
  id: string;
  /** `logs -f`: it ends with the container. */
  log: Running;
};

/** Starts a container in the background, and waits until it says that it is ready. */
export async function startService(
  engine: Engine,
  flags: string[],
  command: string[],
  ready: { stream: "stdout" | "stderr"; text: string | RegExp },
): Promise<Service> {
  const { status, stdout, stderr } = await engine.call(["run", "-d", "--cpus", "0", ...flags, IMAGE, ...command]);
  assert.equal(status, 0, stderr);
  const id = stdout.trim();
  const log = engine.start(["logs", "-f", id]);
  await log.sees(ready.stream, ready.text);
  return { id, log };
}

/** Stops a service as its manager would, waits for the end of its log, and removes it. Returns its exit status and all it has said. */
export async function stopService(engine: Engine, { id, log }: Service): Promise<{ status: number; said: string }> {
  const stopped = await engine.call(["stop", id]);
  assert.equal(stopped.status, 0, stopped.stderr);
  const { stdout: code } = await engine.call(["wait", id]);
  const followed = await log.ended;
  assert.equal(followed.status, 0, followed.stderr);
  const removed = await engine.call(["rm", id]);
  assert.equal(removed.status, 0, removed.stderr);
  return { status: Number(code), said: followed.stdout + followed.stderr };
}

/** A page of an HTTP server on a port of the host, over a connection of its own: there once it begins to come. */
export function openPage(port: number, path = "/"): Promise<{ body: Promise<string> }> {
  return new Promise((resolve, reject) => {
    const request = get({ host: HOST, port, path, agent: false }, (response) => {
      assert.equal(response.statusCode, 200);
      resolve({ body: text(response) });
    });
    request.once("error", reject);
  });
}

export async function fetchPage(port: number, path?: string): Promise<string> {
  return (await openPage(port, path)).body;
}

/** A connection to Redis: what it answers to each command, as it comes (RESP2, one line or one bulk string). */
export class RedisClient implements Disposable {
  readonly #socket: Socket;
  readonly #waiting: { resolve: (answer: string) => void; reject: (error: Error) => void }[] = [];
  #received = "";

  constructor(port: number) {
    this.#socket = connect(port, HOST);
    this.#socket.setEncoding("utf8");
    this.#socket.on("data", (received: string) => {
      this.#received += received;
      this.#answer();
    });
    const over = () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error("the connection has ended"));
    };
    this.#socket.once("error", over);
    this.#socket.once("close", over);
  }

  /** Rejects if the connection ends before the answer. */
  call(...words: string[]): Promise<string> {
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(`*${words.length}\r\n${parts.join("")}`);
    });
  }

  #answer(): void {
    for (;;) {
      // "$-1" is that there is nothing: it is taken as a line.
      const answer = /^(?:[+\-:]([^\r]*)|\$(-1)|\$(\d+))\r\n/.exec(this.#received);
      if (answer === null) return;
      const [head, line, nothing, bytes] = answer;
      const end = bytes === undefined ? head.length : head.length + Number(bytes) + 2;
      if (this.#received.length < end) return;
      const told = line ?? nothing ?? this.#received.slice(head.length, end - 2);
      this.#received = this.#received.slice(end);
      this.#waiting.shift()?.resolve(told);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
