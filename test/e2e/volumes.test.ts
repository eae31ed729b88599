/** Volumes and networks as things of their own. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { removeAll, startDetached } from "./containers.ts";
import { type Engine, e2e } from "./harness.ts";

async function told(engine: Engine, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.call(args);
  assert.equal(status, 0, stderr);
  return stdout;
}

async function refused(engine: Engine, status: number, reason: RegExp, ...args: string[]): Promise<void> {
  const outcome = await engine.call(args);
  assert.equal(outcome.status, status, args.join(" "));
  assert.match(outcome.stderr, reason);
}

const names = (text: string): string[] => text.split("\n").filter(Boolean);

e2e("volumes are made, listed, inspected and removed", async (engine) => {
  assert.equal(await told(engine, "volume", "create", "--label", "a=1", "--label", "b", "data"), "data\n");
  assert.equal(await told(engine, "volume", "create", "data"), "data\n");
  const nameless = (await told(engine, "volume", "create")).trim();
  assert.match(nameless, /^[0-9a-f]{60}$/);
  const [volume] = JSON.parse(await told(engine, "volume", "inspect", "data"));
  assert.deepEqual(volume, {
    Name: "data",
    Driver: "local",
    Scope: "local",
    Mountpoint: join(engine.root, "volumes/data"),
    CreatedAt: volume.CreatedAt,
    Labels: { a: "1", b: "" },
  });
  assert.ok(Date.parse(volume.CreatedAt) > 0);
  assert.match(await told(engine, "volume", "ls"), /^DRIVER +VOLUME NAME\n/);
  assert.deepEqual(names(await told(engine, "volume", "ls", "-q")).sort(), [nameless, "data"].sort());
  assert.equal(
    await told(engine, "volume", "ls", "-f", "label=a=1", "--format", '{{.Name}} {{.Label "a"}}'),
    "data 1\n",
  );
  const id = await startDetached(engine, ["--network", "none", "-v", "data:/d", "--name", "user"]);
  assert.equal(await told(engine, "volume", "ls", "-q", "-f", "dangling=false"), "data\n");
  await refused(engine, 1, /the volume 'data' is in use by user/, "volume", "rm", "data");
  await removeAll(engine, id);
  assert.equal(await told(engine, "volume", "rm", "data"), "data\n");
  await refused(engine, 1, /no volume 'data' here/, "volume", "rm", "data");
  assert.equal(await told(engine, "volume", "rm", "-f", "data"), "data\n");
  await refused(engine, 1, /no volume '\.\.' here/, "volume", "inspect", "..");
  await refused(engine, 125, /'\.\.' is no name/, "volume", "create", "..");
  await refused(engine, 125, /no driver 'nfs'/, "volume", "create", "-d", "nfs", "x");
  // One without a name goes with what nobody uses, one with a name only if all are to go.
  await told(engine, "volume", "create", "--label", "keep=no", "named");
  assert.match(await told(engine, "volume", "prune", "-f"), new RegExp(nameless));
  assert.equal(await told(engine, "volume", "ls", "-q"), "named\n");
  await told(engine, "volume", "prune", "-f", "-a", "--filter", "label=keep=yes");
  assert.equal(await told(engine, "volume", "ls", "-q"), "named\n");
  await told(engine, "volume", "prune", "-f", "-a", "--filter", "label=keep=no");
  assert.deepEqual(readdirSync(join(engine.root, "volumes")), [".records"]);
  assert.deepEqual(readdirSync(join(engine.root, "volumes/.records")), []);
});

e2e("a volume that was made before is filled by its first container, and by no other", async (engine) => {
  await told(engine, "volume", "create", "data");
  const run = (...command: string[]) =>
    told(engine, "run", "--rm", "-q", "--network", "none", "-v", "data:/etc", "busybox", ...command);
  assert.match(await run("cat", "/etc/passwd"), /^root:/);
  await run("sh", "-c", "rm -r /etc/*; true");
  assert.equal(await run("ls", "/etc/passwd").catch(() => "gone"), "gone");
  await told(engine, "volume", "rm", "data");
  // Several first ones at once fill it once.
  await told(engine, "volume", "create", "data");
  await Promise.all([1, 2, 3].map((number) => run("touch", `/etc/${number}`)));
  const place = join(engine.root, "volumes/data");
  for (const number of [1, 2, 3]) assert.equal(readFileSync(join(place, String(number)), "utf8"), "");
  assert.deepEqual(readdirSync(join(engine.root, "volumes")).sort(), [".records", "data"]);
  await told(engine, "volume", "rm", "data");
});

e2e("networks are listed, and inspected with who is in them", async (engine) => {
  const id = await startDetached(engine, ["--name", "inside"]);
  assert.match(
    await told(engine, "network", "ls"),
    /^NAME +DRIVER +SCOPE +SUBNET +BRIDGE\nbridge +bridge +local +172\.16\./,
  );
  assert.deepEqual(names(await told(engine, "network", "ls", "-q")), ["bridge", "host", "none"]);
  assert.equal(await told(engine, "network", "ls", "-f", "driver=host", "--format", "{{.Name}}"), "host\n");
  const [network, none] = JSON.parse(await told(engine, "network", "inspect", "bridge", "none"));
  assert.deepEqual(network.IPAM.Config, [{ Subnet: "172.16.0.0/24", Gateway: "172.16.0.1" }]);
  const address = (await told(engine, "inspect", "-f", "{{.NetworkSettings.IPAddress}}", id)).trim();
  assert.deepEqual(network.Containers, { [id]: { Name: "inside", IPv4Address: `${address}/24` } });
  assert.deepEqual([none.Driver, none.Containers, none.IPAM.Config], ["null", {}, []]);
  assert.equal(await told(engine, "network", "inspect", "-f", "{{len .Containers}}", "default"), "1\n");
  await refused(engine, 1, /no network 'nosuch' here/, "network", "inspect", "nosuch");
  await refused(engine, 125, /unknown command 'network dance'.*inspect, list, ls, prune/s, "network", "dance");
  await removeAll(engine, id);
});
