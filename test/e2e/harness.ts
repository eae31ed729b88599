/**
 * Runs the real executable against the real kernel. Output goes to files and not to pipes: a container's processes
 * inherit what the command had, and a pipe would not end before they do.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  watch,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertNoLeaks, childrenOf, kernelTables, type Roots } from "./kernel-tables.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
export const MYCONTAINER = join(REPOSITORY, "dist/mycontainer");
export const MYCONTAINER_RUNTIME = join(REPOSITORY, "dist/mycontainer-runtime");
/** For a command that hangs: none of ours takes a tenth of it. */
const TIMEOUT_MS = 30_000;

/** What became of a process; a signal's number is added to 128 in `status`, as shells do. */
export type Outcome = { status: number; stdout: string; stderr: string };
export type Options = {
  /** What it reads from its standard input; the default is /dev/null. */
  stdin?: string;
  env?: Record<string, string>;
  cwd?: string;
  timeoutMs?: number;
};

/** A process that is running. */
export type Running = {
  pid: number;
  /** Its end. Rejects if it took longer than the time allowed. */
  ended: Promise<Outcome>;
  /** Output so far. */
  stdout(): string;
  stderr(): string;
  /** When `text` is in the stream. Rejects if the process ends without it or the time is over. */
  sees(stream: "stdout" | "stderr", text: string | RegExp): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** Writes to its standard input, where that is a pipe: `start` with `interactive`. */
  write(text: string): void;
  closeStdin(): void;
};

const SIGNALS: Record<string, number> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
};

function outcomeOf(child: ChildProcess, timeoutMs: number, read: () => Omit<Outcome, "status">): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      const { stdout, stderr } = read();
      reject(
        new Error(`no end after ${timeoutMs} ms: ${child.spawnargs.join(" ")}\nstdout: ${stdout}\nstderr: ${stderr}`),
      );
    }, timeoutMs);
    child.once("error", reject);
    // "exit", not "close": what is inherited by others stays open.
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      resolve({ status: code ?? 128 + (SIGNALS[signal ?? ""] ?? 0), ...read() });
    });
  });
}

/** Starts a program. Its output lies in `directory`, which stays with the caller. */
export function start(
  directory: string,
  command: string[],
  options: Options & { interactive?: boolean } = {},
): Running {
  const [file = "", ...args] = command;
  const place = mkdtempSync(join(directory, "output-"));
  const paths = { stdin: join(place, "stdin"), stdout: join(place, "stdout"), stderr: join(place, "stderr") };
  if (options.stdin !== undefined) writeFileSync(paths.stdin, options.stdin);
  const input = options.interactive ? "pipe" : openSync(options.stdin === undefined ? "/dev/null" : paths.stdin, "r");
  const output = [openSync(paths.stdout, "w"), openSync(paths.stderr, "w")];
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const child = spawn(file, args, {
    stdio: [input, ...output],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  for (const fd of [input, ...output]) if (typeof fd === "number") closeSync(fd);
  const read = (stream: "stdout" | "stderr") => readFileSync(paths[stream], "utf8");
  const ended = outcomeOf(child, timeoutMs, () => ({ stdout: read("stdout"), stderr: read("stderr") }));
  ended.catch(() => undefined); // whoever awaits it hears of it
  const sees = (stream: "stdout" | "stderr", wanted: string | RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const isThere = () => (typeof wanted === "string" ? read(stream).includes(wanted) : wanted.test(read(stream)));
      const watcher = watch(paths[stream], () => isThere() && finish());
      const finish = (error?: Error) => {
        watcher.close();
        if (error === undefined) resolve();
        else reject(error);
      };
      if (isThere()) finish();
      const told = () => `\nstdout: ${read("stdout")}\nstderr: ${read("stderr")}`;
      ended.then(
        ({ status }) => finish(isThere() ? undefined : new Error(`ended with ${status} without ${wanted}${told()}`)),
        (error: Error) => finish(error),
      );
    });
  return {
    pid: child.pid ?? 0,
    ended,
    stdout: () => read("stdout"),
    stderr: () => read("stderr"),
    sees,
    signal: (name) => void child.kill(name),
    write: (text) => void child.stdin?.write(text),
    closeStdin: () => void child.stdin?.end(),
  };
}

/** A program on a terminal of its own. */
export type Terminal = Running & {
  /** Gives the terminal another size, as a window manager does. */
  resize(rows: number, columns: number): void;
};

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

/** Starts a program on a new terminal (script(1) keeps its other side); its output is all in stdout. */
export function startOnTerminal(directory: string, command: string[], options: Options = {}): Terminal {
  const line = `exec ${command.map(quoted).join(" ")}`;
  const running = start(directory, ["script", "-qefc", line, "/dev/null"], { ...options, interactive: true });
  return {
    ...running,
    resize(rows, columns) {
      const [shell] = childrenOf(running.pid);
      if (shell === undefined) throw new Error("nothing runs on the terminal");
      const terminal = readlinkSync(`/proc/${shell}/fd/0`);
      execFileSync("stty", ["-F", terminal, "rows", String(rows), "cols", String(columns)]);
    },
  };
}

/** One engine with a state root of its own. */
export type Engine = Roots & {
  directory: string;
  env: Record<string, string>;
  /** `mycontainer ARGS...` to its end. */
  call(args: string[], options?: Options): Promise<Outcome>;
  start(args: string[], options?: Options & { interactive?: boolean }): Running;
  startOnTerminal(args: string[], options?: Options): Terminal;
  close(): Promise<void>;
};

/**
 * An engine whose state is in a new directory. It is used once, so that what stays from a first use (directories, locks, the
 * bridge) is there before anything is compared.
 */
export async function openEngine(): Promise<Engine> {
  if (!existsSync(MYCONTAINER)) throw new Error(`${MYCONTAINER} is not built: npm run build`);
  const directory = mkdtempSync(join(tmpdir(), "mycontainer-test-"));
  const [root, run] = [join(directory, "lib"), join(directory, "run")];
  for (const path of [root, run]) mkdirSync(path, { mode: 0o700 });
  const env = { MYCONTAINER_ROOT: root, MYCONTAINER_RUN: run };
  const withEnv = <T extends Options>(options: T | undefined) => ({ ...options, env: { ...env, ...options?.env } });
  const engine: Engine = {
    directory,
    root,
    run,
    env,
    call: (args, options) => start(directory, [MYCONTAINER, ...args], withEnv(options)).ended,
    start: (args, options) => start(directory, [MYCONTAINER, ...args], withEnv(options)),
    startOnTerminal: (args, options) => startOnTerminal(directory, [MYCONTAINER, ...args], withEnv(options)),
    close: async () => rmSync(directory, { recursive: true, force: true }),
  };
  const first = await engine.call(["run", "--rm", "busybox", "true"]);
  if (first.status === 0) return engine;
  await engine.close();
  throw new Error(`the first container ended with ${first.status}: ${first.stderr}`);
}

let shared: Promise<Engine> | undefined;

/** The engine of a test file: made by its first test, removed when the file's process ends. */
export function sharedEngine(): Promise<Engine> {
  shared ??= openEngine().then((engine) => {
    process.once("exit", () => rmSync(engine.directory, { recursive: true, force: true }));
    return engine;
  });
  return shared;
}

/**
 * A test with the file's engine which fails if it leaves anything behind: mounts, cgroups, links, routes, rules, processes,
 * namespaces, files. It removes the containers that it wants to end.
 */
export function e2e(name: string, body: (engine: Engine, t: TestContext) => Promise<void>): void {
  test(name, async (t) => {
    const engine = await sharedEngine();
    const before = kernelTables(engine);
    try {
      await body(engine, t);
    } catch (error) {
      // The next test starts from where this one did.
      const { stdout } = await engine.call(["ps", "-aq"]);
      for (const id of stdout.split("\n").filter(Boolean)) await engine.call(["rm", "-f", id]);
      throw error;
    }
    await assertNoLeaks(before, engine);
  });
}
