/** Registries that want to know who asks. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ImageStore, storeTest } from "./image-store.ts";
import { openRegistry, type ScriptedRegistry } from "./scripted-registry.ts";
import { tar } from "./tar.ts";

const USER = Buffer.from("somebody:secret").toString("base64");
const TOKEN = "granted";

type Scene = { store: ImageStore; registry: ScriptedRegistry; name: string; login: (entry: object) => void };

function authorizationTest(name: string, body: (scene: Scene) => Promise<void>): void {
  storeTest(name, async (store) => {
    mkdirSync(join(store.images, "staging"), { recursive: true });
    const directory = mkdtempSync(join(tmpdir(), "mycontainer-login-"));
    const before = process.env["REGISTRY_AUTH_FILE"];
    process.env["REGISTRY_AUTH_FILE"] = join(directory, "auth.json");
    const registry = await openRegistry();
    try {
      registry.image("team/app:1", [tar({ name: "file", data: randomBytes(1000) })]);
      const login = (entry: object) =>
        writeFileSync(join(directory, "auth.json"), JSON.stringify({ auths: { [registry.host]: entry } }));
      await body({ store, registry, name: `${registry.host}/team/app:1`, login });
    } finally {
      if (before === undefined) delete process.env["REGISTRY_AUTH_FILE"];
      else process.env["REGISTRY_AUTH_FILE"] = before;
      await registry.close();
      rmSync(directory, { recursive: true });
    }
  });
}

/** Refuses what comes without `wanted`, and says how it could be had. */
function guard(request: IncomingMessage, response: ServerResponse, wanted: string, challenge: string): boolean {
  if (request.headers.authorization === wanted) return false;
  response.writeHead(401, { "www-authenticate": challenge }).end("{}");
  return true;
}

/** A registry with an authorization server below /token; what was asked of that. */
function guardByToken(registry: ScriptedRegistry, allows: (request: IncomingMessage) => boolean): string[] {
  const asked: string[] = [];
  registry.misbehave((request, response) => {
    if (request.url?.startsWith("/token")) {
      asked.push(request.url);
      if (allows(request)) response.end(JSON.stringify({ token: TOKEN }));
      else response.writeHead(401).end("{}");
      return true;
    }
    return guard(request, response, `Bearer ${TOKEN}`, `Bearer realm="http://${registry.host}/token",service="here"`);
  });
  return asked;
}

authorizationTest("a token is fetched once, without a name where none is known", async ({ store, registry, name }) => {
  const asked = guardByToken(registry, ({ headers }) => headers.authorization === undefined);
  const { status, stderr } = await store.call(["pull", name]);
  assert.equal(status, 0, stderr);
  assert.deepEqual(asked, ["/token?service=here&scope=repository%3Ateam%2Fapp%3Apull"]);
});

authorizationTest("downloads that are refused at once all go on with the token that they get", async (scene) => {
  const { store, registry } = scene;
  const { layers } = registry.image(
    "team/two:1",
    ["one", "two"].map((name) => tar({ name, data: randomBytes(1000) })),
  );
  const refused: ServerResponse[] = [];
  const challenge = `Bearer realm="http://${registry.host}/token"`;
  registry.misbehave((request, response) => {
    if (request.url?.startsWith("/token")) response.end(JSON.stringify({ token: TOKEN }));
    else if (request.headers.authorization === undefined && layers.some((digest) => request.url?.endsWith(digest))) {
      refused.push(response);
      if (refused.length === layers.length)
        for (const one of refused) one.writeHead(401, { "www-authenticate": challenge }).end("{}");
    } else return false;
    return true;
  });
  const { status, stderr } = await store.call(["pull", `${registry.host}/team/two:1`]);
  assert.equal(status, 0, stderr);
  assert.equal(refused.length, 2);
});

authorizationTest("a token is fetched with the name of a login", async ({ store, registry, name, login }) => {
  guardByToken(registry, ({ headers }) => headers.authorization === `Basic ${USER}`);
  const refused = await store.call(["pull", name]);
  assert.equal(refused.status, 125);
  assert.match(refused.stderr, /no access to image .*team\/app:1.*mycontainer login/s);
  login({ auth: USER });
  const { status, stderr } = await store.call(["pull", name]);
  assert.equal(status, 0, stderr);
});

authorizationTest("user and password are given to a registry that asks for them", async (scene) => {
  const { store, registry, name, login } = scene;
  registry.misbehave((request, response) => guard(request, response, `Basic ${USER}`, 'Basic realm="here"'));
  login({ auth: Buffer.from("somebody:wrong").toString("base64") });
  assert.equal((await store.call(["pull", name])).status, 125);
  login({ auth: USER });
  const { status, stderr } = await store.call(["pull", name]);
  assert.equal(status, 0, stderr);
});

authorizationTest("who asks is told to no other host that a registry leads to", async (scene) => {
  const { store, registry, name, login } = scene;
  const other = await openRegistry();
  try {
    const heard: (string | undefined)[] = [];
    other.misbehave((request, response) => {
      heard.push(request.headers.authorization);
      response.writeHead(404).end("{}");
      return true;
    });
    login({ auth: USER });
    registry.misbehave((request, response) => {
      if (guard(request, response, `Basic ${USER}`, 'Basic realm="here"')) return true;
      if (!request.url?.includes("/blobs/")) return false;
      response.writeHead(307, { location: `http://${other.host}${request.url}` }).end();
      return true;
    });
    assert.equal((await store.call(["pull", name])).status, 125);
    assert.ok(heard.length > 0);
    assert.ok(heard.every((value) => value === undefined));
  } finally {
    await other.close();
  }
});
