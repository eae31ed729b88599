import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  cgroupParent,
  cgroupsNamed,
  cgroupValue,
  IMAGE,
  imageArchive,
  RUNTIME,
  run,
  startDaemon,
  succeed,
  workDirectory,
} from "./engine.ts";

const directory = workDirectory("cri");
const socket = join(directory, "containerd.sock");
const PAUSE_IMAGE = "localhost/pause:latest";
const CRICTL = execFileSync(fileURLToPath(new URL("fetch-crictl", import.meta.url)), { encoding: "utf8" }).trim();
const PARENT = cgroupParent("mycontainer-cri");
const LIMIT_BYTES = 64 * 1024 * 1024;

const crictl = (...args: string[]) =>
  succeed(directory, [CRICTL, "--runtime-endpoint", `unix://${socket}`, "--timeout", "30s", ...args]);
const tryCrictl = (...args: string[]) =>
  run(directory, [CRICTL, "--runtime-endpoint", `unix://${socket}`, "--timeout", "30s", ...args]);

writeFileSync(
  join(directory, "config.toml"),
  `version = 2
root = "${directory}/root"
state = "${directory}/state"
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  conf_dir = "${directory}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
  default_runtime_name = "mycontainer"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.mycontainer]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.mycontainer.options]
  BinaryName = "${RUNTIME}"
`,
);
const daemon = startDaemon(directory, ["containerd", "-c", join(directory, "config.toml")]);

function file(name: string, content: object): string {
  const path = join(directory, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
}

/** A pod in the host's network: none has to be made for it. */
const POD = file("pod.json", {
  metadata: { name: "pod", namespace: "default", uid: "mycontainer-test", attempt: 1 },
  log_directory: join(directory, "logs"),
  linux: { cgroup_parent: PARENT, security_context: { namespace_options: { network: 2 } } },
});

const container = (name: string, command: string[], linux: object = {}) =>
  file(`${name}.json`, {
    metadata: { name },
    image: { image: IMAGE },
    command,
    log_path: `${name}.log`,
    linux,
  });

describe("containerd's CRI, as Kubernetes speaks to it", { concurrency: false }, () => {
  let pod = "";
  before(async () => {
    mkdirSync(join(directory, "logs"));
    await daemon.sees("stderr", "containerd successfully booted");
    for (const archive of [imageArchive(directory), imageArchive(directory, PAUSE_IMAGE, ["sleep", "100000"])]) {
      await succeed(directory, ["ctr", "-a", socket, "-n", "k8s.io", "image", "import", archive]);
    }
    pod = await crictl("runp", POD);
  });
  after(() => tryCrictl("rmp", "--all", "--force"));

  test("a container of a pod is made, started, entered, looked at, changed and removed", async () => {
    const config = container("main", ["sh", "-c", "echo to the log; exec sleep 1000"], {
      resources: { memory_limit_in_bytes: LIMIT_BYTES },
    });
    const id = await crictl("create", pod, config, POD);
    assert.equal(
      await crictl("inspect", "-o", "go-template", "--template", "{{.status.state}}", id),
      "CONTAINER_CREATED",
    );
    await crictl("start", id);
    assert.equal(
      await crictl("inspect", "-o", "go-template", "--template", "{{.status.state}}", id),
      "CONTAINER_RUNNING",
    );
    assert.equal(cgroupValue(id, "memory.limit_in_bytes", "memory.max"), String(LIMIT_BYTES));
    assert.match(await crictl("logs", id), /to the log/);
    assert.equal(await crictl("exec", "--sync", id, "sh", "-c", "echo inside"), "inside");
    assert.notEqual((await tryCrictl("exec", "--sync", id, "sh", "-c", "exit 3")).status, 0);
    assert.match(await crictl("stats", "-o", "json", id), /memory/);
    await crictl("update", "--memory", String(LIMIT_BYTES * 2), id);
    assert.equal(cgroupValue(id, "memory.limit_in_bytes", "memory.max"), String(LIMIT_BYTES * 2));
    await crictl("stop", "--timeout", "0", id);
    await crictl("rm", id);
    assert.deepEqual(cgroupsNamed(id), []);
  });

  test("containers of a pod share ipc and host name, and pids unless they ask for their own", async () => {
    const started = async (name: string, options: object) => {
      const id = await crictl(
        "create",
        pod,
        container(name, ["sleep", "1000"], { security_context: { namespace_options: options } }),
        POD,
      );
      await crictl("start", id);
      return id;
    };
    const namespacesOf = (id: string, names: string[]) =>
      crictl("exec", "--sync", id, "sh", "-c", names.map((name) => `readlink /proc/self/ns/${name}`).join("; "));
    const [one, two, alone] = [
      await started("one", { network: 2, pid: 0 }),
      await started("two", { network: 2, pid: 0 }),
      await started("alone", { network: 2, pid: 1 }),
    ];
    const shared = ["ipc", "uts", "net"];
    assert.equal(await namespacesOf(one, [...shared, "pid"]), await namespacesOf(two, [...shared, "pid"]));
    assert.equal(await namespacesOf(one, shared), await namespacesOf(alone, shared));
    assert.notEqual(await namespacesOf(one, ["pid"]), await namespacesOf(alone, ["pid"]));
    for (const id of [one, two, alone]) await crictl("rm", "--force", id);
  });

  test("a user, a read-only root and no capabilities", async () => {
    const config = container("bound", ["sleep", "1000"], {
      security_context: {
        run_as_user: { value: 1000 },
        readonly_rootfs: true,
        no_new_privs: true,
        capabilities: { drop_capabilities: ["ALL"] },
      },
    });
    const id = await crictl("create", pod, config, POD);
    await crictl("start", id);
    const told = await crictl(
      "exec",
      "--sync",
      id,
      "sh",
      "-c",
      "id -u; touch /x 2>&1; grep -E 'CapBnd|NoNewPrivs' /proc/self/status",
    );
    assert.match(told, /^1000\n.*Read-only file system\nCapBnd:\s+0{16}\nNoNewPrivs:\s+1$/);
    await crictl("rm", "--force", id);
  });

  test("a program that is not there is an error that says so", async () => {
    const id = await crictl("create", pod, container("missing", ["no-such-program"]), POD);
    const { status, stderr } = await tryCrictl("start", id);
    assert.notEqual(status, 0);
    assert.match(stderr, /executable file not found in \$PATH/);
    await crictl("rm", "--force", id);
  });

  test("a pod goes as a whole", async () => {
    const other = await crictl(
      "runp",
      file("other.json", {
        metadata: { name: "other", namespace: "default", uid: "mycontainer-other", attempt: 1 },
        log_directory: join(directory, "logs"),
        linux: { cgroup_parent: PARENT, security_context: { namespace_options: { network: 2 } } },
      }),
    );
    await crictl("stopp", other);
    await crictl("rmp", other);
    assert.deepEqual(cgroupsNamed(other), []);
  });
});
