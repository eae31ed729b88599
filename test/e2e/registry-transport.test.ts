/** Registries that misbehave below their documents: bodies, headers, redirects, tokens (docs/security.md, E5). */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { certificateAuthority } from "./certificates.ts";
import { TYPE } from "./image-layout.ts";
import { contentsOf, type ImageStore, storeTest } from "./image-store.ts";
import { openRegistry, type ScriptedRegistry } from "./scripted-registry.ts";
import { tar } from "./tar.ts";

const BASIC = Buffer.from("somebody:secret").toString("base64");
const BYTES = 300_000;

type Scene = {
  store: ImageStore;
  registry: ScriptedRegistry;
  /** Of `team/app:1` there. */
  name: string;
  pull: (image?: string) => Promise<{ status: number; stderr: string }>;
  push: () => Promise<{ status: number; stderr: string }>;
};

/** A registry with an image, credentials for it, and a short patience. */
function sceneTest(title: string, body: (scene: Scene) => Promise<void>, tls = false): void {
  storeTest(title, async (store) => {
    mkdirSync(join(store.images, "staging"), { recursive: true });
    const { authority, issue } = certificateAuthority(store.directory);
    const registry = await openRegistry(tls ? issue("IP:127.0.0.1") : undefined);
    const config = join(store.directory, "config.toml");
    writeFileSync(config, "[registries]\ntimeout = 1\n");
    const auth = join(store.directory, "auth.json");
    writeFileSync(auth, JSON.stringify({ auths: { [registry.host]: { auth: BASIC } } }));
    const env = { ...store.env, MYCONTAINER_CONFIG: config, REGISTRY_AUTH_FILE: auth, SSL_CERT_FILE: authority };
    try {
      registry.image("team/app:1", [tar({ name: "file", data: randomBytes(BYTES) })]);
      const name = `${registry.host}/team/app:1`;
      const pull = (image = name) => store.call(["pull", image], { env, timeoutMs: 60_000 });
      await body({ store, registry, name, pull, push: () => store.call(["push", name], { env }) });
    } finally {
      await registry.close();
    }
  });
}

async function refused({ store, pull }: Scene, title: string, reason: RegExp): Promise<void> {
  const { status, stderr } = await pull();
  assert.equal(status, 125, `${title}: ${stderr}`);
  assert.match(stderr, /^mycontainer: [^\n]*\n$/, title);
  assert.match(stderr, reason, title);
  assert.deepEqual(contentsOf(store.images), [], title);
}

const isManifest = ({ url = "" }: IncomingMessage) => url.includes("/manifests/");
const isBlob = ({ url = "" }: IncomingMessage) => url.includes("/blobs/");
/** Writes bytes as they are, without what HTTP has of its own. */
const raw = (response: ServerResponse, text: string) => response.socket?.end(text, "latin1");
/** Writes the same again and again, as long as somebody takes it. */
function endlessly(response: ServerResponse, piece: Buffer): void {
  const more = (): void => {
    while (!response.destroyed && response.write(piece));
  };
  response.on("drain", more);
  more();
}
/** One byte at a time, each as soon as the last was sent. */
function slowly(response: ServerResponse, data: Buffer, everyMs: number): void {
  let at = 0;
  const timer = setInterval(() => {
    if (response.destroyed || at >= data.length) clearInterval(timer);
    else response.write(data.subarray(at, ++at));
  }, everyMs);
  response.once("close", () => clearInterval(timer));
}

sceneTest("bodies without an end, headers without an end and nonsense are refused", async (scene) => {
  const { registry } = scene;
  const head = "HTTP/1.1 200 OK\r\n";
  const type = `content-type: ${TYPE.manifest}\r\n`;
  const cases: [title: string, reason: RegExp, answer: (response: ServerResponse) => void][] = [
    ["an endless manifest", /larger than it may be/, (response) => endlessly(response, Buffer.alloc(65_536, 32))],
    [
      "an endless error",
      /larger than it may be/,
      (response) => endlessly(response.writeHead(400), Buffer.alloc(65_536)),
    ],
    ["headers of 100 KiB", /headers|HTTP/, (response) => raw(response, `${head}x: ${"y".repeat(100_000)}\r\n\r\n`)],
    ["10,000 headers", /headers|HTTP/, (response) => raw(response, `${head}${"x: y\r\n".repeat(10_000)}\r\n`)],
    ["a header without an end", /headers|HTTP/, (response) => raw(response, `${head}x: ${"y".repeat(200_000)}`)],
    [
      "chunks that are none",
      /HTTP|broken|closed/,
      (response) => raw(response, `${head}${type}transfer-encoding: chunked\r\n\r\nzz\r\nx\r\n`),
    ],
    [
      "a chunk of 16 EiB",
      /HTTP|broken|closed|larger/,
      (response) => raw(response, `${head}${type}transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nx`),
    ],
    [
      "two lengths",
      /HTTP|broken|closed|damaged/,
      (response) => raw(response, `${head}${type}content-length: 1\r\ncontent-length: 2\r\n\r\n{}`),
    ],
    [
      "a length that is none",
      /HTTP|damaged/,
      (response) => raw(response, `${head}${type}content-length: -1\r\n\r\n{}`),
    ],
    ["another protocol", /HTTP|TLS/, (response) => raw(response, "SSH-2.0-OpenSSH_9.2\r\n")],
    ["a status that is none", /HTTP|answers/, (response) => raw(response, "HTTP/1.1 9999 what\r\n\r\n")],
    [
      "bytes that are no text",
      /damaged/,
      (response) => raw(response, `${head}${type}content-length: 2\r\n\r\n\xff\xfe`),
    ],
  ];
  for (const [title, reason, answer] of cases) {
    registry.misbehave((request, response) => {
      if (!isManifest(request)) return false;
      answer(response);
      return true;
    });
    await refused(scene, title, reason);
  }
});

sceneTest("lengths that lie about a layer are found out", async (scene) => {
  const { registry } = scene;
  const cases: [title: string, reason: RegExp, answer: (response: ServerResponse, blob: Buffer) => void][] = [
    [
      "more than was announced",
      /more than the announced/,
      (response) => endlessly(response.writeHead(200), Buffer.alloc(65_536)),
    ],
    [
      "a length of 8 EiB",
      /more than the announced/,
      (response) => raw(response, `HTTP/1.1 200 OK\r\ncontent-length: ${2n ** 63n}\r\n\r\nx`),
    ],
    [
      "another part than was asked for",
      /another part/,
      (response, blob) =>
        response.writeHead(206, { "content-range": `bytes 5-${blob.length - 1}/${blob.length}` }).end(blob.subarray(5)),
    ],
    ["a part without a place", /another part/, (response, blob) => response.writeHead(206).end(blob)],
    ["an answer without a body", /answers 204 when asked for blob/, (response) => response.writeHead(204).end()],
  ];
  for (const [title, reason, answer] of cases) {
    registry.misbehave((request, response, blob) => {
      if (!isBlob(request) || blob === undefined || blob.length < BYTES) return false;
      answer(response, blob);
      return true;
    });
    await refused(scene, title, reason);
  }
});

sceneTest("a byte at a time, or nothing at all, is not waited for", async ({ store, registry, pull }) => {
  const slowManifest = (response: ServerResponse) =>
    slowly(response.writeHead(200, { "content-type": TYPE.manifest }), Buffer.alloc(10_000, 32), 50);
  const cases: Record<string, { reason: RegExp; answer: (response: ServerResponse, blob: Buffer) => void }> = {
    "slow/manifests": { reason: /sends fewer than \d+ bytes/, answer: slowManifest },
    "slow/blobs": { reason: /sends fewer than \d+ bytes/, answer: (response, blob) => slowly(response, blob, 50) },
    "silent/blobs": {
      reason: /has fallen silent/,
      answer: (response, blob) => void response.writeHead(200).write(blob.subarray(0, 100)),
    },
    "mute/manifests": { reason: /does not answer in time/, answer: () => undefined },
  };
  for (const kind of Object.keys(cases)) {
    registry.image(`${kind}:1`, [tar({ name: "file", data: randomBytes(BYTES) })]);
  }
  registry.misbehave((request, response, blob) => {
    const kind = Object.keys(cases).find((prefix) => request.url?.startsWith(`/v2/${prefix}/${prefix.split("/")[1]}/`));
    if (kind === undefined || (blob !== undefined && blob.length < BYTES)) return false;
    cases[kind]?.answer(response, blob ?? Buffer.alloc(0));
    return true;
  });
  const outcomes = Object.entries(cases).map(async ([kind, { reason }]) => {
    const { status, stderr } = await pull(`${registry.host}/${kind}:1`);
    assert.equal(status, 125, `${kind}: ${stderr}`);
    assert.match(stderr, reason, kind);
  });
  await Promise.all(outcomes);
  assert.deepEqual(contentsOf(store.images), []);
});

sceneTest(
  "redirects lead to http and https, not in circles, and not to where credentials are asked for",
  async (scene) => {
    const { registry, name } = scene;
    const other = await openRegistry();
    const heard: (string | undefined)[] = [];
    try {
      other.misbehave((request, response) => {
        heard.push(request.headers.authorization);
        // CVE-2020-15157: who is sent here is asked who it is.
        const challenge = `Bearer realm="http://${other.host}/token"`;
        response.writeHead(401, { "www-authenticate": `Basic realm="x", ${challenge}` }).end();
        return true;
      });
      const cases: [location: string, reason: RegExp][] = [
        [`http://${other.host}/x`, /no access to/],
        [`HTTP://${other.host}/x`, /no access to/],
        [`//${other.host}/x`, /no access to/],
        ["file:///etc/passwd", /sends on to 'file:\/\/\/etc\/passwd'/],
        ["unix:///run/docker.sock", /sends on to 'unix:/],
        ["gopher://127.0.0.1:6379/_FLUSHALL", /sends on to 'gopher:/],
        ["data:text/plain,x", /sends on to 'data:/],
        [`http://user:word@${other.host}/x`, /the address is refused: it has credentials/],
        [`http://${registry.host}@${other.host}/x`, /the address is refused: it has credentials/],
        ["http:///x", /the address is refused/],
        ["/v2/team/app/manifests/1", /redirects again and again/],
        ["?again", /redirects again and again/],
        [`http://${other.host}/${"x".repeat(200_000)}`, /headers|too long/],
      ];
      for (const [location, reason] of cases) {
        registry.misbehave((request, response) => {
          if (request.headers.authorization !== `Basic ${BASIC}`)
            response.writeHead(401, { "www-authenticate": "Basic" }).end();
          else if (isManifest(request)) response.writeHead(307, { location }).end();
          else return false;
          return true;
        });
        await refused(scene, location.slice(0, 100), reason);
      }
      assert.equal(heard.length, 3, name);
      assert.ok(
        heard.every((value) => value === undefined),
        "credentials went to another host",
      );
    } finally {
      await other.close();
    }
  },
);

sceneTest("an authorization server without TLS, or of no address, is told nothing", async (scene) => {
  const { registry } = scene;
  const asked: string[] = [];
  for (const [realm, reason] of [
    ["http://192.0.2.1/token", /sends for a token to 'http:\/\/192\.0\.2\.1\/token'/],
    [`http://${registry.host}@192.0.2.1/token`, /sends for a token to/],
    ["file:///etc/passwd", /sends for a token to 'file:/],
    ["", /sends for a token to ''/],
    ["https://user:word@127.0.0.1:1/token", /it has credentials/],
    [`http://${registry.host}/token`, /gives no token \(its answer is 302\)/],
  ] as const) {
    registry.misbehave((request, response) => {
      asked.push(request.url ?? "");
      if (request.url?.startsWith("/token")) response.writeHead(302, { location: "http://192.0.2.1/" }).end();
      else response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="x"` }).end();
      return true;
    });
    await refused(scene, realm, reason);
  }
  assert.equal(asked.filter((path) => path.startsWith("/token")).length, 1);
});

sceneTest("who is to wait for a year is told so, and does not wait", async (scene) => {
  for (const after of ["31536000", "99999999999999999999", "Fri, 01 Jan 2999 00:00:00 GMT"]) {
    scene.registry.misbehave((_, response) => {
      response.writeHead(429, { "retry-after": after }).end();
      return true;
    });
    await refused(scene, after, /too many requests/);
  }
});

sceneTest(
  "what TLS has guarded does not go on without it",
  async (scene) => {
    const { store, registry, name } = scene;
    const { status, stderr } = await scene.pull();
    assert.equal(status, 0, `and the honest one is pulled: ${stderr}`);
    await store.call(["rmi", name]);
    for (const location of ["http://192.0.2.1/x", "HTTP://192.0.2.1/x"]) {
      registry.misbehave((request, response) => {
        if (!isManifest(request)) return false;
        response.writeHead(307, { location }).end();
        return true;
      });
      await refused(scene, location, /sends on to 192\.0\.2\.1 without TLS .* registries\.insecure/);
    }
    assert.equal((await store.call(["import", store.file(tar({ name: "x" })), name])).status, 0);
    for (const location of ["http://192.0.2.1/x", "HTTP://192.0.2.1/x"]) {
      registry.misbehave(({ method }, response) => {
        if (method === "HEAD") response.writeHead(404).end();
        else response.writeHead(202, { location }).end();
        return true;
      });
      const { status, stderr } = await scene.push();
      assert.equal(status, 125);
      assert.match(stderr, /wants what is uploaded to go on without TLS/);
    }
  },
  true,
);
