/** What goes wrong is told in one line with what to do, ends with Docker's exit code, and leaves nothing behind. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type Engine, e2e, MYCONTAINER, start } from "./harness.ts";

interface Expected {
  readonly args: string[];
  readonly status: number;
  /** What the line has to say. */
  readonly says: RegExp;
}

/** The one line of the error; progress that came before it is no part of it. */
function errorLine(stderr: string): string {
  const lines = stderr.split("\n").filter((line) => line.startsWith("mycontainer: "));
  assert.equal(lines.length, 1, stderr);
  return lines[0] ?? "";
}

async function fails(engine: Engine, { args, status, says }: Expected): Promise<void> {
  const outcome = await engine.call(args);
  assert.equal(outcome.status, status, outcome.stderr);
  const line = errorLine(outcome.stderr);
  assert.match(line, says);
  assert.match(line, / — /, "it says what to do");
}

const CASES: Record<string, Expected> = {
  "an unknown command is told, with the one that was probably meant": {
    args: ["rnu", "busybox"],
    status: 125,
    says: /unknown command 'rnu'.*mycontainer run/,
  },
  "an unknown flag is told, with the one that was probably meant": {
    args: ["run", "--memry", "64m", "busybox"],
    status: 125,
    says: /unknown flag --memry.*--memory/,
  },
  "a missing image is told, with what there is and what can be done": {
    args: ["run", "--pull", "never", "nosuch:1.0", "true"],
    status: 125,
    says: /no image 'nosuch:1.0'.*pull/,
  },
  "a command that is not in the image ends in 127": {
    args: ["run", "--quiet", "busybox", "nosuchcommand"],
    status: 127,
    says: /cannot run 'nosuchcommand'/,
  },
  "a path that is not in the image ends in 127": {
    args: ["run", "--quiet", "busybox", "/no/such"],
    status: 127,
    says: /cannot run '\/no\/such'/,
  },
  "a file that is not executable ends in 126": {
    args: ["run", "--quiet", "busybox", "/etc/passwd"],
    status: 126,
    says: /cannot run '\/etc\/passwd'/,
  },
  "a directory as command ends in 126": {
    args: ["run", "--quiet", "busybox", "/etc"],
    status: 126,
    says: /cannot run '\/etc'/,
  },
  "a bad memory size shows how one is written": {
    args: ["run", "--memory", "12q", "busybox"],
    status: 125,
    says: /bad memory size '12q'.*512m/,
  },
  "a memory limit that nothing can start with is refused": {
    args: ["run", "--memory", "1m", "busybox"],
    status: 125,
    says: /'1m' is too small.*6m/,
  },
  "a bad volume shows how one is written": {
    args: ["run", "-v", "a:b:c:d", "busybox"],
    status: 125,
    says: /bad volume 'a:b:c:d'/,
  },
  "a volume on a relative path is refused": {
    args: ["run", "-v", "/tmp:data", "busybox"],
    status: 125,
    says: /bad volume/,
  },
  "a mount whose source is not there is refused": {
    args: ["run", "--mount", "type=bind,source=/no/such,target=/x", "busybox"],
    status: 125,
    says: /\/no\/such/,
  },
  "a bad port is refused": { args: ["run", "-p", "80:99999", "busybox"], status: 125, says: /publish/ },
  "a container that is not there is told": { args: ["stop", "nosuch"], status: 1, says: /no container 'nosuch'/ },
  "exec into a container that is not there is told": {
    args: ["exec", "nosuch", "true"],
    status: 125,
    says: /no container 'nosuch'/,
  },
  "an unknown user is told with the file that lacks it": {
    args: ["run", "--quiet", "--user", "nobodyhere", "busybox", "true"],
    status: 125,
    says: /nobodyhere.*passwd/,
  },
  "a user id out of range is refused": {
    args: ["run", "-u", "4294967296", "busybox", "true"],
    status: 125,
    says: /4294967296/,
  },
  "an unknown capability is refused": { args: ["run", "--cap-add", "FLY", "busybox"], status: 125, says: /FLY/ },
  "a kernel parameter of the whole host is refused": {
    args: ["run", "--sysctl", "kernel.panic=1", "busybox"],
    status: 125,
    says: /kernel\.panic/,
  },
  "an image of an archive that is none is refused": {
    args: ["import", "/etc/passwd", "bad"],
    status: 125,
    says: /passwd/,
  },
};

for (const [name, expected] of Object.entries(CASES)) e2e(name, (engine) => fails(engine, expected));

e2e("a name that is in use is told, and the other container is left alone", async (engine) => {
  await engine.call(["run", "-d", "--name", "taken", "busybox", "sleep", "100"]);
  await fails(engine, {
    args: ["run", "--name", "taken", "busybox", "true"],
    status: 125,
    says: /name 'taken' is in use/,
  });
  assert.match((await engine.call(["ps"])).stdout, /taken/);
  await engine.call(["rm", "-f", "taken"]);
});

e2e("a port that is in use on the host is told", async (engine) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await fails(engine, {
    args: ["run", "-p", `${port}:80`, "busybox", "true"],
    status: 125,
    says: new RegExp(`${port}.*in use`),
  });
  await new Promise((resolve) => server.close(resolve));
});

e2e("who is not root is told to be", async (engine) => {
  const command = ["setpriv", "--reuid=65534", "--clear-groups", MYCONTAINER, "run", "busybox", "true"];
  const outcome = await start(engine.directory, command, { env: engine.env }).ended;
  assert.equal(outcome.status, 125);
  assert.match(errorLine(outcome.stderr), /root.*sudo/);
});

/** Runs an action with a file system of its own as state root. */
async function onFilesystem(engine: Engine, options: string, body: (root: string) => Promise<void>): Promise<void> {
  const place = join(engine.directory, "small");
  mkdirSync(place, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", options, "small", place]);
  try {
    await body(join(place, "root"));
  } finally {
    execFileSync("umount", [place]);
  }
}

e2e("a full disk is told, and nothing is left on it", async (engine) => {
  await onFilesystem(engine, "size=3m,mode=700", async (root) => {
    const outcome = await engine.call(["run", "--quiet", "busybox", "true"], { env: { MYCONTAINER_ROOT: root } });
    assert.equal(outcome.status, 125, outcome.stderr);
    assert.match(errorLine(outcome.stderr), /space|ENOSPC/i);
  });
});

e2e("a state directory that is read-only is told", async (engine) => {
  await onFilesystem(engine, "size=8m,mode=700", async (root) => {
    execFileSync("mount", ["-o", "remount,ro", join(engine.directory, "small")]);
    const outcome = await engine.call(["run", "--quiet", "busybox", "true"], { env: { MYCONTAINER_ROOT: root } });
    assert.equal(outcome.status, 125);
    assert.match(errorLine(outcome.stderr), /read-only|EROFS/i);
  });
});

e2e("a state directory that others may write to is refused", async (engine) => {
  await onFilesystem(engine, "size=8m,mode=700", async (root) => {
    mkdirSync(root, { mode: 0o777 });
    execFileSync("chmod", ["777", root]);
    const outcome = await engine.call(["run", "--quiet", "busybox", "true"], { env: { MYCONTAINER_ROOT: root } });
    assert.equal(outcome.status, 125);
    assert.match(errorLine(outcome.stderr), /written to by others/);
  });
});

e2e("a limit whose controller is missing is refused, and one that nobody asked for is a warning", async (engine) => {
  // In a mount namespace of its own the hierarchy of the controller is taken away.
  const hidden = (args: string[]) => [
    "unshare",
    "--mount",
    "sh",
    "-c",
    'umount /sys/fs/cgroup/pids 2>/dev/null; exec "$@"',
    "sh",
    MYCONTAINER,
    ...args,
  ];
  const asked = await start(engine.directory, hidden(["run", "--quiet", "--pids-limit", "9", "busybox", "true"]), {
    env: engine.env,
  }).ended;
  assert.equal(asked.status, 125, asked.stderr);
  assert.match(errorLine(asked.stderr), /pids/);
  const usual = await start(engine.directory, hidden(["run", "--quiet", "busybox", "echo", "runs"]), {
    env: engine.env,
  }).ended;
  assert.deepEqual([usual.status, usual.stdout], [0, "runs\n"]);
  assert.match(usual.stderr, /pids/);
});

e2e("a file of variables with a bad line is told with the line", async (engine) => {
  const file = join(engine.directory, "variables");
  writeFileSync(file, "GOOD=1\n=bad\n");
  await fails(engine, { args: ["run", "--env-file", file, "busybox", "env"], status: 125, says: /=bad/ });
});
