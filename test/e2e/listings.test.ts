/** What commands list, by filters and templates. */
import assert from "node:assert/strict";
import { removeAll, startDetached } from "./containers.ts";
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

e2e("containers are listed by docker's filters and templates", async (engine) => {
  const one = await startDetached(engine, [
    "--network",
    "none",
    "--name",
    "one",
    "-l",
    "a=1",
    "-l",
    "b=2",
    "-v",
    "data:/d",
  ]);
  const two = await startDetached(engine, ["--network", "host", "--name", "two", "-l", "a=1", "--expose", "80"]);
  const gone = await startDetached(engine, ["--network", "none", "--name", "gone"], ["sh", "-c", "exit 3"]);
  await told(engine, "wait", gone);
  const names = async (...filters: string[]) =>
    (await told(engine, "ps", "--format", "{{.Names}}", ...filters.flatMap((one) => ["-f", one]))).trim().split("\n");
  assert.deepEqual(await names(), ["two", "one"]);
  assert.deepEqual(await names("label=a=1", "label=b"), ["one"]);
  assert.deepEqual(await names("name=one", "name=two"), ["two", "one"]);
  assert.deepEqual(await names("exited=3"), ["gone"]);
  assert.deepEqual(await names("status=exited"), ["gone"]);
  assert.deepEqual(await names("network=host"), ["two"]);
  assert.deepEqual(await names("volume=data"), ["one"]);
  assert.deepEqual(await names("expose=80"), ["two"]);
  assert.deepEqual(await names("since=one"), ["two"]);
  assert.deepEqual(await names("before=two"), ["one"]);
  assert.deepEqual(await names("health=none", "ancestor=busybox", `id=${one}`), ["one"]);
  assert.equal(await told(engine, "ps", "-l", "--format", "{{.Names}} {{.State}}"), "gone exited\n");
  assert.equal(await told(engine, "ps", "-n", "2", "--format", "{{.Names}}"), "gone\ntwo\n");
  const table = await told(
    engine,
    "ps",
    "-f",
    "name=one",
    "--format",
    'table {{.Names}}\\t{{.Label "b"}}\\t{{.Mounts}}',
  );
  assert.match(table, /^NAMES +LABEL +MOUNTS\none +2 +data\n$/);
  const row = JSON.parse(await told(engine, "ps", "-f", "name=two", "--format", "{{json .}}"));
  assert.deepEqual([row.ID, row.Ports, row.Labels, row.State], [two, "80/tcp", "a=1", "running"]);
  const state = "{{.State.Status}} {{.State.ExitCode}} {{.State.Running}} {{.Name}}";
  assert.equal(
    await told(engine, "inspect", "-f", state, "gone", "one"),
    "exited 3 false /gone\nrunning 0 true /one\n",
  );
  const mounts = "{{range .Mounts}}{{.Name}}:{{.Destination}}{{end}}";
  assert.equal(await told(engine, "inspect", "-f", mounts, "one"), "data:/d\n");
  const stats = await told(engine, "stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}", "one");
  assert.equal(stats, "one 1\n");
  await refused(engine, /unknown filter 'colour=red'/, "ps", "-f", "colour=red");
  await refused(engine, /there is no status 'asleep'/, "ps", "-f", "status=asleep");
  await refused(engine, /unknown format 'xml'/, "ps", "--format", "xml");
  await refused(engine, /there is no field 'Nosuch'/, "ps", "--format", "{{.Nosuch}}");
  await refused(engine, /unknown format 'yaml'/, "inspect", "-f", "yaml", "one");
  await removeAll(engine, one, two, gone);
  await told(engine, "volume", "prune", "-a", "-f");
});

e2e("images are listed by docker's filters and templates", async (engine) => {
  const made = await startDetached(engine, ["--network", "none"]);
  const commit = async (...args: string[]) => (await told(engine, "commit", ...args)).trim();
  const labelled = await commit("-c", "LABEL a=1", made, "team/labelled:1");
  const nameless = await commit("-c", "LABEL a=2", made);
  await removeAll(engine, made);
  const list = async (...args: string[]) =>
    (await told(engine, "images", "--format", "{{.Repository}}:{{.Tag}}", ...args)).trim().split("\n");
  assert.deepEqual(await list("-f", "label=a=1"), ["team/labelled:1"]);
  assert.deepEqual(await list("-f", "label=a"), ["<none>:<none>", "team/labelled:1"]);
  assert.deepEqual(await list("-f", "dangling=true"), ["<none>:<none>"]);
  assert.deepEqual(await list("-f", "dangling=false"), ["team/labelled:1", "busybox:latest"]);
  assert.deepEqual(await list("-f", "reference=team/*:1"), ["team/labelled:1"]);
  assert.deepEqual(await list("-f", "reference=busybox", "-f", "reference=*/labelled"), [
    "team/labelled:1",
    "busybox:latest",
  ]);
  assert.deepEqual(await list("-f", "before=team/labelled:1"), ["busybox:latest"]);
  assert.deepEqual(await list("-f", "since=busybox"), ["<none>:<none>", "team/labelled:1"]);
  assert.deepEqual(await list("-f", "until=1h"), ["busybox:latest"]);
  assert.equal(await told(engine, "images", "-q", "--no-trunc", "-f", "label=a"), `${nameless}\n${labelled}\n`);
  assert.match(await told(engine, "images", "--digests"), /^REPOSITORY +TAG +DIGEST +IMAGE ID +CREATED +SIZE\n/);
  const history = await told(engine, "history", "--format", "{{.CreatedBy}}|{{.ID}}", "--no-trunc", "team/labelled:1");
  assert.equal(history.split("\n")[0], `sleep 1000|${labelled}`);
  const inspected = "{{.Id}} {{index .Config.Labels `a`}} {{.RepoTags}} {{.Os}}";
  assert.equal(
    await told(engine, "inspect", "-f", inspected, "team/labelled:1"),
    `${labelled} 1 [team/labelled:1] linux\n`,
  );
  assert.match(await told(engine, "system", "df", "--format", "{{.Type}}={{.TotalCount}}"), /^Images=3\n/);
  await refused(engine, /no image 'nosuch' here/, "images", "-f", "before=nosuch");
  await refused(engine, /true or false/, "images", "-f", "dangling=perhaps");
  await told(engine, "rmi", "team/labelled:1", nameless);
});
