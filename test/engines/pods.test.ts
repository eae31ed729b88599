import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cgroupParent, IMAGE, imageArchive, onTerminal, RUNTIME, run, succeed, workDirectory } from "./engine.ts";

const directory = workDirectory("pods");
const STORE = ["--root", join(directory, "root"), "--runroot", join(directory, "run"), "--log-level", "error"];
const PODMAN = ["podman", ...STORE, "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime", RUNTIME];
const BUILDAH = ["buildah", ...STORE];
const PAUSE = "localhost/pause:latest";
/** Debian's podman asks for more than root without CAP_SYS_RESOURCE may have. */
const LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
const PARENT = ["--cgroup-parent", cgroupParent("mycontainer-pods")];
const podman = (...args: string[]) => succeed(directory, [...PODMAN, ...args]);
const buildah = (...args: string[]) => succeed(directory, [...BUILDAH, ...args]);
/** How `buildah run` and `buildah build` are told the runtime, and what there is of the machine. */
const BUILT_BY = ["--runtime", RUNTIME, "--network", "none"];

describe("pods of podman, and buildah", { concurrency: false }, () => {
  before(async () => {
    await podman("load", "-q", "-i", imageArchive(directory));
    await podman("load", "-q", "-i", imageArchive(directory, PAUSE, ["sleep", "100000"]));
  });
  after(async () => {
    await run(directory, [...PODMAN, "pod", "rm", "-fa", "-t", "0"]);
    await run(directory, [...BUILDAH, "rm", "-a"]);
    await run(directory, [...PODMAN, "umount", "-a"]);
  });

  test("containers of a pod share its namespaces, and are held, stopped and started as one", async () => {
    await podman("pod", "create", "--name", "pod", "--network", "none", "--infra-image", PAUSE, ...PARENT);
    const links = "hostname; readlink /proc/self/ns/net; readlink /proc/self/ns/ipc";
    await podman("run", "-d", "--pod", "pod", "--name", "one", ...LIMITS, IMAGE, "sleep", "1000");
    const joined = await podman("run", "--rm", "--pod", "pod", ...LIMITS, IMAGE, "sh", "-c", links);
    assert.equal(joined, await podman("exec", "one", "sh", "-c", links));
    assert.match(joined, /^pod\n/);
    const states = () => podman("inspect", "one", "--format", "{{.State.Status}}");
    await podman("pod", "pause", "pod");
    assert.equal(await states(), "paused");
    await podman("pod", "unpause", "pod");
    await podman("pod", "stop", "-t", "0", "pod");
    assert.equal(await states(), "exited");
    await podman("pod", "start", "pod");
    assert.equal(await states(), "running");
    assert.match(await podman("pod", "top", "pod"), /sleep 1000/);
  });

  test("a user other than root, in a user namespace or not, writes to /dev/stdout", async () => {
    const args = ["--rm", "--network", "none", ...PARENT, ...LIMITS, "-u", "5"];
    const command = [IMAGE, "sh", "-c", "id -u >/dev/stdout"];
    assert.equal(await podman("run", ...args, ...command), "5");
    const maps = ["--uidmap", "0:100000:1000", "--gidmap", "0:100000:1000"];
    assert.equal(await podman("run", ...args, ...maps, ...command), "5");
  });

  test("buildah builds an image whose steps run as different users", async () => {
    const context = join(directory, "context");
    mkdirSync(context);
    writeFileSync(join(context, "file"), "of the context\n");
    const steps = [
      `FROM ${IMAGE}`,
      "WORKDIR /made",
      "COPY file .",
      "RUN cat file >/dev/stdout && echo $(id -u) >ids && chmod 777 . && chmod 666 ids",
      "USER 5",
      "RUN echo $(id -u) >>ids && cat ids >/dev/stdout",
    ];
    writeFileSync(join(context, "Dockerfile"), `${steps.join("\n")}\n`);
    const told = await buildah("build", ...BUILT_BY, ...LIMITS, "-q=false", "-t", "localhost/built", context);
    assert.match(told, /of the context[\s\S]*0\n5\n/);
    assert.equal(
      await podman("run", "--rm", "--network", "none", ...PARENT, ...LIMITS, "localhost/built", "cat", "ids"),
      "0\n5",
    );
  });

  test("buildah runs a command in a container: its status, its mounts, its terminal", async () => {
    const id = await buildah("from", IMAGE);
    assert.equal(
      await buildah("run", ...BUILT_BY, "-v", `${directory}/context:/c:ro`, id, "cat", "/c/file"),
      "of the context",
    );
    const failed = await run(directory, [...BUILDAH, "run", ...BUILT_BY, id, "sh", "-c", "exit 5"]);
    assert.equal(failed.status, 5, failed.stderr);
    const missing = await run(directory, [...BUILDAH, "run", ...BUILT_BY, id, "no-such-program"]);
    assert.match(missing.stderr, /executable file not found in \$PATH/);
    assert.match(
      (await onTerminal(directory, [...BUILDAH, "run", "-t", ...BUILT_BY, id, "tty"])).stdout,
      /\/dev\/pts\/0/,
    );
  });
});
