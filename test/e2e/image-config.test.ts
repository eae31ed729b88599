/** What an image says of its containers is what they are, unless `run` says otherwise. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { execOutput, removeAll, startDetached } from "./containers.ts";
import { type Engine, e2e } from "./harness.ts";

async function told(engine: Engine, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.call(args);
  assert.equal(status, 0, stderr);
  return stdout;
}

async function refused(engine: Engine, reason: RegExp, ...args: string[]): Promise<void> {
  const { status, stderr } = await engine.call(args);
  assert.equal(status, 125, args.join(" "));
  assert.match(stderr, reason);
}

const ARCHITECTURE = process.arch === "arm64" ? "arm64" : "amd64";
const RUN = ["run", "--rm", "-q", "--network", "none"];
const PEOPLE = `
  echo app:x:1234:4321::/home/app:/bin/sh >>/etc/passwd
  echo app:x:4321: >>/etc/group; echo extra:x:777:app >>/etc/group
  mkdir -p /data/sub; echo kept >/data/file; chown 1234:4321 /data
`;

/** An image of busybox with people, files, and these instructions. */
async function imageOf(engine: Engine, name: string, ...changes: string[]): Promise<void> {
  const id = await startDetached(engine, ["--network", "none"]);
  await execOutput(engine, id, "sh", "-ec", PEOPLE);
  await told(engine, "commit", ...changes.flatMap((change) => ["-c", change]), id, name);
  await removeAll(engine, id);
}

const volumes = (engine: Engine): string[] => readdirSync(join(engine.root, "volumes"));

e2e("USER is a name with its groups, and a WORKDIR that is not there is made", async (engine) => {
  await imageOf(engine, "named", "USER app", "WORKDIR /no/such/place", 'CMD ["sh", "-c", "pwd; id; echo $HOME"]');
  const groups = "uid=1234(app) gid=4321(app) groups=777(extra),4321(app)";
  assert.equal(await told(engine, ...RUN, "named"), `/no/such/place\n${groups}\n/home/app\n`);
  assert.equal(
    await told(engine, ...RUN, "-u", "app:extra", "-w", "/other", "named", "sh", "-c", "pwd; id -g"),
    "/other\n777\n",
  );
  await refused(engine, /there is no user 'nobody-here'/, ...RUN, "-u", "nobody-here", "named", "true");
  await refused(engine, /not an absolute path/, ...RUN, "-w", "relative", "named", "true");
});

e2e("entry points in the shell's form get no words, and in the other form all", async (engine) => {
  await imageOf(engine, "shell", "ENTRYPOINT echo shell $0", 'CMD ["of", "image"]');
  await imageOf(engine, "words", 'ENTRYPOINT ["echo", "words"]', 'CMD ["of", "image"]');
  assert.equal(await told(engine, ...RUN, "shell", "a", "b"), "shell a\n");
  assert.equal(await told(engine, ...RUN, "words"), "words of image\n");
  assert.equal(await told(engine, ...RUN, "words", "a"), "words a\n");
  assert.equal(await told(engine, ...RUN, "--entrypoint", "pwd", "words"), "/\n");
  await refused(engine, /names no command/, ...RUN, "--entrypoint", "", "words");
});

e2e("a VOLUME without a name has the image's files, and goes with its container", async (engine) => {
  await imageOf(engine, "volume", "VOLUME /data /empty", "STOPSIGNAL SIGUSR1", "LABEL who=image");
  assert.equal(
    await told(engine, ...RUN, "volume", "sh", "-c", "cat /data/file; stat -c %u:%g /data"),
    "kept\n1234:4321\n",
  );
  assert.deepEqual(volumes(engine), []);
  const trap = "trap 'exit 5' USR1; echo ready; sleep 1000 & wait";
  const run = async (...flags: string[]) =>
    (await told(engine, "run", "-d", "--network", "none", ...flags, "volume", "sh", "-c", trap)).trim();
  const id = await run("-l", "more=run");
  const logs = engine.start(["logs", "-f", id]);
  await logs.sees("stdout", "ready");
  assert.equal(volumes(engine).length, 2);
  const shown = "{{.Config.StopSignal}} {{.Config.Labels}} {{len .Mounts}}";
  assert.equal(await told(engine, "inspect", "-f", shown, id), "SIGUSR1 map[more:run who:image] 2\n");
  await told(engine, "stop", id);
  await logs.ended;
  assert.equal(await told(engine, "wait", id), "5\n");
  assert.equal(volumes(engine).length, 2);
  await told(engine, "rm", "-v", id);
  const removed = await run("--rm");
  assert.equal(volumes(engine).length, 2);
  await told(engine, "kill", removed);
  await engine.call(["wait", removed]);
  assert.deepEqual(volumes(engine), []);
  const { status } = await engine.call([...RUN, "volume", "/no/such/program"]);
  assert.equal(status, 127);
  await refused(engine, /no address 192\.0\.2\.1/, "run", "--rm", "-q", "-p", "192.0.2.1:80:80", "volume", "true");
  assert.deepEqual(volumes(engine), []);
});

e2e("all that an image listens on is published on free ports when that is asked for", async (engine) => {
  await imageOf(engine, "listening", "EXPOSE 80 81/udp");
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "0.0.0.0", resolve));
  const serve = ["sh", "-c", "echo hello >/tmp/x; while :; do nc -l -p 80 </tmp/x; done"];
  const id = (await told(engine, "run", "-d", "-P", "--expose", "90", "listening", ...serve)).trim();
  const shown = await told(engine, "ps", "--format", "{{.Ports}}");
  assert.match(shown, /^0\.0\.0\.0:\d+->80\/tcp, 0\.0\.0\.0:\d+->81\/udp, 0\.0\.0\.0:\d+->90\/tcp\n$/);
  const template = '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}} {{.NetworkSettings.IPAddress}}';
  const [port = "", address] = (await told(engine, "inspect", "-f", template, id)).trim().split(" ");
  assert.ok(shown.includes(`:${port}->80/tcp`));
  assert.match(address ?? "", /^172\.16\.0\.\d+$/);
  const answer = await new Promise<string>((resolve, reject) => {
    const again = () => {
      const socket = connect(Number(port), "127.0.0.1");
      socket.once("data", (data) => resolve(data.toString()));
      socket.once("error", (error: NodeJS.ErrnoException) =>
        error.code === "ECONNREFUSED" ? setImmediate(again) : reject(error),
      );
    };
    again();
  });
  assert.equal(answer, "hello\n");
  await told(engine, "commit", id, "committed");
  const exposed = await told(engine, "inspect", "--type", "image", "-f", "{{json .Config.ExposedPorts}}", "committed");
  assert.deepEqual(Object.keys(JSON.parse(exposed)).sort(), ["80/tcp", "81/udp", "90/tcp"]);
  await removeAll(engine, id);
  const plain = (await told(engine, "run", "-d", "listening", "sleep", "1000")).trim();
  assert.equal(await told(engine, "ps", "--format", "{{.Ports}}"), "80/tcp, 81/udp\n");
  await removeAll(engine, plain);
  await new Promise((resolve) => taken.close(resolve));
  await refused(
    engine,
    /--publish-all and --network none contradict/,
    "run",
    "-P",
    "--network",
    "none",
    "busybox",
    "true",
  );
  await refused(engine, /--expose x: that is no port/, "run", "--expose", "x", "busybox", "true");
});

e2e("an image that is for another platform than the one that is asked for is not taken", async (engine) => {
  assert.equal(await told(engine, ...RUN, "--platform", `linux/${ARCHITECTURE}`, "busybox", "echo", "here"), "here\n");
  await refused(
    engine,
    /is for linux\/a.*64, not for linux\/s390x/,
    ...RUN,
    "--pull",
    "never",
    "--platform",
    "linux/s390x",
    "busybox",
    "true",
  );
  await refused(engine, /bad platform 'a\/b\/c\/d'/, ...RUN, "--platform", "a/b/c/d", "busybox", "true");
  await refused(engine, /no image 'nosuch' here/, ...RUN, "--pull", "never", "nosuch");
  await refused(engine, /unknown value 'sometimes' of --pull/, ...RUN, "--pull", "sometimes", "busybox", "true");
});
