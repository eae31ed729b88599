/** What people run: a distribution's package manager and its services, in containers of one Debian image. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execOutput, removeAll } from "./containers.ts";
import { type Engine, e2e } from "./harness.ts";
import { startRegistry } from "./real-registry.ts";
import {
  debianFiles,
  fetchPage,
  IMAGE,
  inDebian,
  openPage,
  REGISTRY_PORT,
  RedisClient,
  startService,
  stopService,
} from "./services.ts";

const { rootfs, repository } = debianFiles();
const BIND_REPOSITORY = ["--network", "none", "-v", `${repository}:/repository:ro`];
const SLOW_MS = 60_000;

/** A file for containers to read. */
function fileOf(engine: Engine, name: string, text: string): string {
  const path = join(engine.directory, name);
  writeFileSync(path, text, { mode: 0o644 });
  return path;
}

async function succeeds(engine: Engine, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.call(args, { timeoutMs: SLOW_MS });
  assert.equal(status, 0, stderr);
  return stdout;
}

// The others run containers of what this one brings here.
e2e("a Debian root file system is imported, pushed to Debian's own registry, and pulled from there", async (engine) => {
  const registry = await startRegistry(engine.directory, REGISTRY_PORT);
  try {
    await succeeds(engine, "import", rootfs, IMAGE);
    const id = await succeeds(engine, "images", "-q", "--no-trunc", IMAGE);
    await succeeds(engine, "push", "-q", IMAGE);
    await succeeds(engine, "rmi", IMAGE);
    assert.equal(await succeeds(engine, "images", "-q", IMAGE), "");
    await succeeds(engine, "pull", "-q", IMAGE);
    assert.equal(await succeeds(engine, "images", "-q", "--no-trunc", IMAGE), id);
  } finally {
    await registry.close();
  }
  assert.match(await inDebian(engine, ["--network", "none"], "cat", "/etc/os-release"), /VERSION_CODENAME=bookworm/);
});

e2e(
  "apt installs a package, with Debian's signatures and its own unprivileged user, and commit keeps it",
  async (engine) => {
    const script = "apt-get update && apt-get install -y hello && hello && man -w hello && dpkg --audit";
    const { stdout: id } = await engine.call([
      ...["run", "-d", "--cpus", "0", ...BIND_REPOSITORY, IMAGE, "sh", "-c", script],
    ]);
    assert.equal((await succeeds(engine, "wait", id.trim())).trim(), "0");
    const { stdout, stderr } = await engine.call(["logs", id.trim()]);
    assert.match(
      stdout,
      /Processing triggers for man-db .*\r?\nHello, world!\n\/usr\/share\/man\/man1\/hello\.1\.gz\n$/,
    );
    assert.doesNotMatch(stderr, /unsandboxed|^[WE]:/m);
    await succeeds(engine, "commit", id.trim(), "with-hello");
    await removeAll(engine, id.trim());
    assert.equal(await succeeds(engine, "run", "-q", "--network", "none", "with-hello", "hello"), "Hello, world!\n");
    await succeeds(engine, "rmi", "with-hello");
  },
);

e2e("apt refuses an archive whose list is not the signed one", async (engine) => {
  const list = `dists/bookworm/main/binary-${process.arch === "arm64" ? "arm64" : "amd64"}/Packages.xz`;
  const bytes = readFileSync(join(repository, list));
  const at = bytes.length >> 1;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  const changed = join(engine.directory, "Packages.xz");
  writeFileSync(changed, bytes);
  const bind = ["-v", `${changed}:/repository/${list}:ro`];
  const { status, stderr } = await engine.call(["run", "-q", ...BIND_REPOSITORY, ...bind, IMAGE, "apt-get", "update"]);
  assert.equal(status, 100, stderr);
  assert.match(stderr, /Hash Sum mismatch/);
});

e2e("users are made, and become others by su and sudo; locales and manual pages are made and found", async (engine) => {
  const script = [
    "adduser --quiet --disabled-password --gecos '' alice",
    "echo 'alice ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/alice",
    "su - alice -c 'id -un; pwd; sudo id -un; sudo -u www-data id -un; echo \"@daily true\" | crontab -; crontab -l'",
    "echo alice:secret | chpasswd && passwd -S alice | cut -d' ' -f1,2",
    "localedef -i fr_FR -f UTF-8 fr_FR.UTF-8 && LC_ALL=fr_FR.UTF-8 date -d @0 +%A",
    "man -w su",
  ].join(" && ");
  const { status, stdout, stderr } = await engine.call(
    ["run", "-q", "--cpus", "0", "--network", "none", IMAGE, "sh", "-c", script],
    { timeoutMs: SLOW_MS },
  );
  assert.deepEqual([status, stderr], [0, ""]);
  const lines = [
    "alice",
    "/home/alice",
    "root",
    "www-data",
    "@daily true",
    "alice P",
    "jeudi",
    "/usr/share/man/man1/su.1.gz",
  ];
  assert.deepEqual(stdout.trimEnd().split("\n"), lines);
});

e2e("cron runs a job as its user", async (engine) => {
  const table = fileOf(engine, "table", '@reboot www-data echo "$(id -un) in $(pwd)" >/tmp/told\n');
  const flags = ["--network", "none", "-v", `${table}:/etc/cron.d/test:ro`];
  const told = await inDebian(engine, flags, "sh", "-c", "mkfifo -m 666 /tmp/told && cron && cat /tmp/told");
  assert.equal(told, "www-data in /var/www\n");
});

const NGINX = `user www-data;
worker_processes 1;
daemon off;
pid /tmp/nginx.pid;
error_log /dev/stderr notice;
events {}
http {
  access_log /dev/stdout;
  server { listen 8080; root /site; location = /slow { limit_rate 2k; } }
}
`;

/** Flags of a container with nginx in it, reachable at the same port. */
function nginxFlags(engine: Engine): string[] {
  const binds = {
    "/etc/nginx/nginx.conf": NGINX,
    "/site/index.html": "of nginx\n",
    "/site/slow": "slow\n".repeat(800),
  };
  return Object.entries(binds)
    .flatMap(([path, text]) => ["-v", `${fileOf(engine, path.replaceAll("/", "-"), text)}:${path}:ro`])
    .concat("-p", "8080:8080", "--stop-signal", "QUIT");
}
const NGINX_READY = { stream: "stderr", text: "start worker process" } as const;

e2e(
  "nginx serves a published port, reads its configuration again, and ends what it has begun when it is stopped",
  async (engine) => {
    const service = await startService(engine, nginxFlags(engine), ["nginx"], NGINX_READY);
    assert.equal(await fetchPage(8080), "of nginx\n");
    assert.match(await execOutput(engine, service.id, "ps", "-eo", "user,args"), /^www-data nginx: worker process$/m);
    await execOutput(engine, service.id, "nginx", "-s", "reload");
    await service.log.sees("stderr", /reconfiguring[\s\S]*worker process \d+ exited with code 0/);
    const begun = await openPage(8080, "/slow");
    const { status, said } = await stopService(engine, service);
    assert.equal(status, 0);
    assert.equal(await begun.body, "slow\n".repeat(800));
    assert.match(said, /GET \/slow HTTP\/1.1" 200 4000/);
  },
);

for (const [how, flags] of Object.entries({
  "as another user, without capabilities, on a root that is read-only": [
    ...["-u", "www-data", "--cap-drop", "ALL", "--read-only"],
    ...["/var/lib/nginx", "/var/log/nginx"].flatMap((path) => ["--tmpfs", `${path}:mode=1777`]),
  ],
  "in a user namespace": ["--userns", "auto"],
})) {
  e2e(`nginx logs to /dev/stdout ${how}`, async (engine) => {
    const service = await startService(engine, [...nginxFlags(engine), ...flags], ["nginx"], NGINX_READY);
    assert.equal(await fetchPage(8080), "of nginx\n");
    const { status, said } = await stopService(engine, service);
    assert.equal(status, 0, said);
    assert.match(said, /GET \/ HTTP/);
  });
}

const REDIS_PORT = 6379;
const REDIS_FLAGS = ["-u", "redis", "-p", `${REDIS_PORT}:${REDIS_PORT}`];
const REDIS = ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no"];
const REDIS_READY = { stream: "stdout", text: "Ready to accept connections" } as const;

e2e("Redis keeps its data in a volume when it is stopped, and when it is killed", async (engine) => {
  const flags = [...REDIS_FLAGS, "-v", "redis:/var/lib/redis"];
  const command = [...REDIS, "--dir", "/var/lib/redis", "--appendonly", "yes", "--appendfsync", "always"];
  const first = await startService(engine, flags, command, REDIS_READY);
  {
    using client = new RedisClient(REDIS_PORT);
    assert.equal(await client.call("SET", "greeting", "hello"), "OK");
  }
  const { status, said } = await stopService(engine, first);
  assert.equal(status, 0);
  assert.match(said, /Redis is now ready to exit/);

  const second = await startService(engine, flags, command, REDIS_READY);
  {
    using client = new RedisClient(REDIS_PORT);
    assert.equal(await client.call("APPEND", "greeting", " again"), "11");
  }
  await succeeds(engine, "kill", second.id);
  assert.equal((await succeeds(engine, "wait", second.id)).trim(), "137");
  await removeAll(engine, second.id);

  const third = await startService(engine, flags, command, REDIS_READY);
  {
    using client = new RedisClient(REDIS_PORT);
    assert.equal(await client.call("GET", "greeting"), "hello again");
  }
  assert.equal((await stopService(engine, third)).status, 0);
  await succeeds(engine, "volume", "prune", "--all", "--force");
});

e2e("stats tells what Redis holds, and the limit of memory is its end", async (engine) => {
  const MEBIBYTE = 1 << 20;
  const value = "x".repeat(MEBIBYTE);
  const limit = 64;
  const flags = [...REDIS_FLAGS, "--memory", `${limit}m`];
  const service = await startService(engine, flags, [...REDIS, "--save", ""], REDIS_READY);
  using client = new RedisClient(REDIS_PORT);
  for (let index = 0; index < 20; index++) await client.call("SET", `key-${index}`, value);
  const usage = JSON.parse(await succeeds(engine, "stats", "--format", "json", service.id));
  assert.ok(usage.memoryBytes > 20 * MEBIBYTE && usage.memoryBytes < limit * MEBIBYTE, JSON.stringify(usage));
  assert.ok(usage.rxBytes > 20 * MEBIBYTE && usage.pids > 1, JSON.stringify(usage));
  await assert.rejects(async () => {
    for (let index = 20; index <= limit; index++) await client.call("SET", `key-${index}`, value);
  }, /connection has ended/);
  assert.equal((await succeeds(engine, "wait", service.id)).trim(), "137");
  assert.match(await succeeds(engine, "ps", "-a"), /Exited \(137, out of memory\)/);
  await removeAll(engine, service.id);
});

e2e("PostgreSQL makes a database in a volume, is asked over the network, and finds it again", async (engine) => {
  const directory = "/var/lib/postgresql/data";
  const flags = [
    ...["-u", "postgres", "--shm-size", "160m", "-v", "postgres:/var/lib/postgresql"],
    ...["-e", `PGDATA=${directory}`, "-e", "PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin"],
  ];
  const begin = "initdb --no-sync -A trust >/dev/null && echo host all all samenet trust >>$PGDATA/pg_hba.conf";
  // Shared buffers as a file of /dev/shm: more than it has unless it is told.
  const command = [
    ...["sh", "-ec", `[ -e $PGDATA ] || { ${begin}; }; exec postgres "$@"`, "sh"],
    ...["-c", "listen_addresses=*", "-c", "unix_socket_directories=/tmp", "-c", "shared_memory_type=mmap"],
    ...["-c", "dynamic_shared_memory_type=posix", "-c", "min_dynamic_shared_memory=100MB"],
  ];
  const ready = { stream: "stderr", text: "ready to accept connections" } as const;
  const first = await startService(engine, flags, command, ready);
  const host = (await execOutput(engine, first.id, "hostname", "-i")).trim();
  const client = (await succeeds(engine, "run", "-d", IMAGE, "sleep", "1000")).trim();
  const ask = (text: string) => execOutput(engine, client, "psql", "-h", host, "-U", "postgres", "-Atc", text);
  await ask("create table numbers as select generate_series(1, 50000) as n");
  assert.equal(await ask("select count(*), sum(n) from numbers"), "50000|1250025000\n");
  assert.match(await execOutput(engine, first.id, "df", "-k", "--output=size", "/dev/shm"), /\b163840$/m);
  await removeAll(engine, client);
  const stopped = await stopService(engine, first);
  assert.equal(stopped.status, 0);
  assert.match(stopped.said, /database system is shut down/);

  const second = await startService(engine, flags, command, ready);
  assert.equal(
    await execOutput(engine, second.id, "psql", "-h", "/tmp", "-Atc", "select max(n) from numbers"),
    "50000\n",
  );
  assert.equal((await stopService(engine, second)).status, 0);
  await succeeds(engine, "volume", "prune", "--all", "--force");
});

e2e("a server in Node.js ends by itself when it is asked to", async (engine) => {
  const program = `const server = require("node:http").createServer((_, answer) => answer.end("of node\\n"));
    process.on("SIGTERM", () => server.close(() => process.exit(3)));
    server.listen(80, () => console.log("listening"));`;
  const service = await startService(engine, ["-p", "8081:80"], ["node", "-e", program], {
    stream: "stdout",
    text: "listening\n",
  });
  assert.equal(await fetchPage(8081), "of node\n");
  assert.equal((await stopService(engine, service)).status, 3);
});

e2e("Python's web server, which handles no signal, is ended by one where it has an init", async (engine) => {
  const page = fileOf(engine, "page", "of python\n");
  const flags = ["--init", "-p", "8082:8000", "-w", "/site", "-v", `${page}:/site/page:ro`, "-e", "PYTHONUNBUFFERED=1"];
  const service = await startService(engine, flags, ["python3", "-m", "http.server"], {
    stream: "stdout",
    text: "Serving HTTP",
  });
  assert.equal(await fetchPage(8082, "/page"), "of python\n");
  const { status, said } = await stopService(engine, service);
  assert.equal(status, 143);
  assert.match(said, /"GET \/page HTTP\/1.1" 200/);
});
