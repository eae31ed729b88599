/** Pushing images, and telling registries who one is: with a real registry, and with one that misbehaves. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { certificateAuthority, selfSigned } from "./certificates.ts";
import { type ImageStore, storeTest } from "./image-store.ts";
import { type RealRegistry, startRegistry, USER } from "./real-registry.ts";
import { openRegistry, type ScriptedRegistry } from "./scripted-registry.ts";
import { tar } from "./tar.ts";

const PORT = 5710;

/** An image in the store: two layers, and a name. */
async function imported(store: ImageStore, name: string): Promise<void> {
  const { status, stderr } = await store.call([
    "import",
    store.file(tar({ name: "file", data: Buffer.from(name) })),
    name,
  ]);
  assert.equal(status, 0, stderr);
}

/** Commands with a home of the test's own. */
function atHome(store: ImageStore): { home: string; call: ImageStore["call"] } {
  const home = join(store.directory, "home");
  mkdirSync(home, { recursive: true });
  const env = { ...store.env, HOME: home, PATH: `${home}:${process.env["PATH"]}` };
  return { home, call: (args, options) => store.call(args, { ...options, env: { ...env, ...options?.env } }) };
}

async function withRegistry(
  store: ImageStore,
  how: Parameters<typeof startRegistry>[2],
  body: (registry: RealRegistry) => Promise<void>,
): Promise<void> {
  const registry = await startRegistry(store.directory, PORT, how);
  try {
    await body(registry);
  } finally {
    await registry.close();
  }
}

const skopeo = (...args: string[]): string => execFileSync("skopeo", args, { encoding: "utf8" });

storeTest("what is pushed can be pulled by others, and what is there is not sent again", async (store) => {
  await withRegistry(store, {}, async ({ host }) => {
    await imported(store, `${host}/team/app:1`);
    const first = await store.call(["push", `${host}/team/app:1`]);
    assert.equal(first.status, 0, first.stderr);
    const [heading, layer, last] = first.stdout.trimEnd().split("\n");
    assert.equal(heading, `The push refers to repository [${host}/team/app]`);
    assert.match(layer ?? "", /^[0-9a-f]{12}: Pushed$/);
    const digest = /^1: digest: (sha256:[0-9a-f]{64}) size: \d+$/.exec(last ?? "")?.[1];
    const seen = JSON.parse(skopeo("inspect", "--tls-verify=false", `docker://${host}/team/app:1`)) as {
      Digest: string;
    };
    assert.equal(seen.Digest, digest);
    const copied = join(store.directory, "copied");
    skopeo("copy", "-q", "--src-tls-verify=false", `docker://${host}/team/app:1`, `oci:${copied}:app`);

    assert.match((await store.call(["push", `${host}/team/app:1`])).stdout, /^[0-9a-f]{12}: Layer already exists$/m);
    await store.call(["tag", `${host}/team/app:1`, `${host}/other/app:2`]);
    assert.match((await store.call(["push", `${host}/other/app:2`])).stdout, /^[0-9a-f]{12}: Mounted from team\/app$/m);

    await store.call(["tag", `${host}/team/app:1`, `${host}/team/app:old`]);
    const all = await store.call(["push", "--all-tags", "--quiet", `${host}/team/app`]);
    assert.equal(all.stdout, `${host}/team/app:1\n${host}/team/app:old\n`);
    const { Tags } = JSON.parse(skopeo("list-tags", "--tls-verify=false", `docker://${host}/team/app`)) as {
      Tags: string[];
    };
    assert.deepEqual(Tags.sort(), ["1", "old"]);
  });
});

storeTest("a private registry with a certificate of one's own is logged in to and out of", async (store) => {
  const { issue, authority } = certificateAuthority(store.directory);
  const { home, call } = atHome(store);
  await withRegistry(store, { tls: issue("DNS:localhost"), isPrivate: true }, async ({ host }) => {
    await imported(store, `${host}/app`);
    assert.match((await call(["push", `${host}/app`])).stderr, /authority that is not trusted.*certs\.d/);
    mkdirSync(join(home, ".config/containers/certs.d", host), { recursive: true });
    writeFileSync(join(home, ".config/containers/certs.d", host, "ca.crt"), readFileSync(authority));
    assert.match((await call(["push", `${host}/app`])).stderr, /does not let you push to app — 'mycontainer login/);

    const login = (password: string) =>
      call(["login", "-u", USER.name, "--password-stdin", host], { stdin: `${password}\n` });
    const refused = await login("wrong");
    assert.equal(refused.status, 125);
    assert.match(refused.stderr, /does not accept this name and password/);
    const file = join(home, ".docker/config.json");
    assert.ok(!existsSync(file));

    mkdirSync(join(home, ".docker"));
    writeFileSync(file, '{"detachKeys": "ctrl-x", "auths": {"else.example": {"auth": "YTpi"}}}');
    const accepted = await login(USER.password);
    assert.equal(accepted.stdout, "Login Succeeded\n", accepted.stderr);
    assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), {
      detachKeys: "ctrl-x",
      auths: { "else.example": { auth: "YTpi" }, [host]: { auth: "YWxpY2U6c2VjcmV0" } },
    });
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal((await call(["push", `${host}/app`])).status, 0);
    await call(["rmi", `${host}/app`]);
    assert.equal((await call(["pull", `${host}/app`])).status, 0);

    assert.equal((await call(["logout", host])).stdout, `Removing login credentials for ${host}\n`);
    assert.equal((await call(["logout", host])).stdout, `Not logged in to ${host}\n`);
    assert.equal((await call(["push", `${host}/app`])).status, 125);
  });
});

storeTest("a program keeps the password where docker's config.json names one", async (store) => {
  const { home, call } = atHome(store);
  const program = join(home, "docker-credential-test");
  const kept = join(home, "kept");
  writeFileSync(
    program,
    `#!/bin/sh
case $1 in
  store) cat >${kept} ;;
  get) [ -e ${kept} ] && cat ${kept} || { echo "credentials not found in native keychain"; exit 1; } ;;
  erase) rm -f ${kept} ;;
esac
`,
  );
  chmodSync(program, 0o755);
  mkdirSync(join(home, ".docker"));
  const file = join(home, ".docker/config.json");
  writeFileSync(file, '{"credsStore": "test"}');
  await withRegistry(store, { isPrivate: true }, async ({ host }) => {
    await imported(store, `${host}/app`);
    assert.equal((await call(["push", `${host}/app`])).status, 125);
    const args = ["login", "-u", USER.name, "--password-stdin", host];
    const login = await call(args, { stdin: USER.password });
    assert.equal(login.status, 0, login.stderr);
    assert.deepEqual(JSON.parse(readFileSync(kept, "utf8")), {
      ServerURL: host,
      Username: USER.name,
      Secret: USER.password,
    });
    assert.ok(!readFileSync(file, "utf8").includes('auth":'));
    assert.equal((await call(["push", `${host}/app`])).status, 0);
    assert.match((await call(["logout", host])).stdout, /^Removing/);
    assert.ok(!existsSync(kept));
    writeFileSync(file, '{"credsStore": "missing"}');
    assert.match((await call(["push", `${host}/app`])).stderr, /no program 'docker-credential-missing'/);
  });
});

storeTest("a mirror is asked first, and an insecure registry only if it is on the list", async (store) => {
  const { issue } = certificateAuthority(store.directory);
  const { call } = atHome(store);
  const config = join(store.directory, "config.toml");
  const env = { ...store.env, HOME: store.directory, MYCONTAINER_CONFIG: config };
  const registry = await openRegistry(issue("DNS:else.example"));
  try {
    registry.image("team/app:1", [tar({ name: "file", data: Buffer.from("x") })]);
    writeFileSync(config, `[registries.mirrors]\n"nosuch.invalid" = ["${registry.host}"]\n`);
    const refused = await call(["pull", "nosuch.invalid/team/app:1"], { env });
    assert.match(refused.stderr, /nosuch\.invalid is not found/);
    writeFileSync(
      config,
      `[registries]\ninsecure = ["${registry.host}"]\nmirrors = {"nosuch.invalid" = ["${registry.host}"]}\n`,
    );
    const pulled = await call(["pull", "-q", "nosuch.invalid/team/app:1"], { env });
    assert.equal(pulled.stdout, "nosuch.invalid/team/app:1\n", pulled.stderr);
    writeFileSync(config, `[registries]\ninsecure = ["https://${registry.host}"]\n`);
    assert.match((await call(["pull", "x.invalid/y"], { env })).stderr, /registries\.insecure: .* is no host/);
  } finally {
    await registry.close();
  }
});

/** A registry that takes an upload up to a point. */
async function misbehaving(
  store: ImageStore,
  mischief: (registry: ScriptedRegistry) => Parameters<ScriptedRegistry["misbehave"]>[0],
  body: (registry: ScriptedRegistry) => Promise<void>,
): Promise<void> {
  const registry = await openRegistry();
  try {
    registry.misbehave(mischief(registry));
    await imported(store, `${registry.host}/app`);
    await body(registry);
  } finally {
    await registry.close();
  }
}

storeTest("what fails for a while is tried again, and who is to wait for long is told how long", async (store) => {
  let failures = 2;
  const script = () =>
    ((request, response) => {
      if (request.url?.endsWith("/manifests/latest") && failures > 0) {
        failures--;
        response.writeHead(503, { "retry-after": "0" }).end();
        return true;
      }
      if (request.url?.endsWith("/manifests/busy")) {
        response.writeHead(429, { "retry-after": "3600" }).end('{"errors":[{"message":"slow \\u001b[31mdown"}]}');
        return true;
      }
      return false;
    }) satisfies Parameters<ScriptedRegistry["misbehave"]>[0];
  await misbehaving(store, script, async (registry) => {
    registry.image("team/app:latest", [tar({ name: "file", data: Buffer.from("x") })]);
    const { status, stderr } = await store.call(["pull", `${registry.host}/team/app`]);
    assert.equal(status, 0, stderr);
    assert.equal(failures, 0);
    const busy = await store.call(["pull", `${registry.host}/team/app:busy`]);
    assert.match(busy.stderr, /too many requests: slow {2}?\[31mdown — try it again in 3600 seconds/);
  });
});

storeTest("credentials do not go along where an upload is sent to another host", async (store) => {
  const seen: (string | undefined)[] = [];
  const elsewhere = await openRegistry();
  elsewhere.misbehave((request, response) => {
    seen.push(request.headers.authorization);
    request.resume();
    request.on("end", () => response.writeHead(201).end());
    return true;
  });
  const script = () =>
    ((request, response) => {
      const { method, headers, url = "" } = request;
      if (headers.authorization === undefined) {
        response.writeHead(401, { "www-authenticate": 'Basic realm="test"' }).end();
      } else if (method === "HEAD") response.writeHead(404).end();
      else if (method === "POST") response.writeHead(202, { location: `http://${elsewhere.host}/upload?x=1` }).end();
      else if (method === "PUT" && url.includes("/manifests/")) {
        response.writeHead(201, { "docker-content-digest": `sha256:${"0".repeat(64)}` }).end();
      } else return false;
      return true;
    }) satisfies Parameters<ScriptedRegistry["misbehave"]>[0];
  try {
    await misbehaving(store, script, async (registry) => {
      const { home, call } = atHome(store);
      mkdirSync(join(home, ".docker"));
      writeFileSync(
        join(home, ".docker/config.json"),
        JSON.stringify({ auths: { [registry.host]: { auth: "YTpi" } } }),
      );
      const { status, stderr } = await call(["push", `${registry.host}/app`]);
      assert.equal(status, 125);
      // The layer and the configuration went there; what the registry says of the manifest is not believed.
      assert.deepEqual(seen, [undefined, undefined]);
      assert.match(stderr, /the registry has stored sha256:0{64} in place of/);
    });
  } finally {
    await elsewhere.close();
  }
});

storeTest("what is not here, or has no tag, is not pushed", async (store) => {
  await imported(store, "here");
  const refused = async (args: string[], reason: RegExp) => {
    const { status, stderr } = await store.call(["push", ...args]);
    assert.equal(status, 125);
    assert.match(stderr, reason);
  };
  await refused(["localhost:1/nothing"], /no image 'localhost:1\/nothing:latest' here/);
  await refused([], /'push' needs one image/);
  await refused([`a/b@sha256:${"0".repeat(64)}`], /by a tag, not by a digest/);
  await refused(["-a", "a/b:1"], /names one image, and --all-tags asks for all/);
});

storeTest(
  "a certificate that is its own authority is trusted for the host that has exactly it in certs.d",
  async (store) => {
    const { home, call } = atHome(store);
    const own = selfSigned(store.directory, "own", "DNS:localhost", 2);
    const other = selfSigned(store.directory, "other", "DNS:localhost", 2);
    const named = selfSigned(store.directory, "named", "DNS:elsewhere.example", 2);
    const places = join(home, ".config/containers/certs.d");
    const trust = (host: string, text: string) => {
      mkdirSync(join(places, host), { recursive: true });
      writeFileSync(join(places, host, "ca.crt"), text);
    };
    const refused = async (name: string, reason: RegExp, env: Record<string, string> = {}) => {
      const { status, stderr } = await call(["pull", name], { env });
      assert.equal(status, 125);
      assert.match(stderr, reason);
    };
    await withRegistry(store, { tls: own }, async ({ host }) => {
      const name = `${host}/team/app:1`;
      await imported(store, name);
      await refused(name, /signed by an authority that is not trusted|is its own authority/);
      trust(host, other.cert);
      await refused(name, /certificate of localhost:\d+ is/);
      // In the list of the whole system it is an authority, and no server.
      trust(host, other.cert);
      await refused(name, /is its own authority, and not the one that certs\.d has/, { SSL_CERT_FILE: own.certFile });
      trust(host, `${other.cert}${own.cert}`);
      const pushed = await call(["push", name]);
      assert.equal(pushed.status, 0, pushed.stderr);
      const pulled = await call(["pull", name]);
      assert.equal(pulled.status, 0, pulled.stderr);
      // Whoever else has the certificate has not its key, and other hosts have not this certificate.
      trust("127.0.0.1:5710", other.cert);
      await refused("127.0.0.1:5710/team/app:1", /certificate of 127\.0\.0\.1:5710 is/);
      trust("127.0.0.1:5710", own.cert);
      await refused("127.0.0.1:5710/team/app:1", /is for another name/);
    });
    for (const [certificate, reason] of [
      [named, /is for another name: elsewhere\.example/],
      [selfSigned(store.directory, "old", "IP:127.0.0.1", -1), /has expired/],
    ] as const) {
      const elsewhere = await openRegistry(certificate);
      trust(elsewhere.host, certificate.cert);
      await refused(`${elsewhere.host}/team/app:1`, reason).finally(elsewhere.close);
    }
  },
);
