/**
 * A registry in the test's own process: it has the images that a test gives it, notes what is asked of it, and misbehaves
 * where the test says so.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { ARCHITECTURE, describe, digestOf, TYPE } from "./image-layout.ts";

export type Asked = { method: string; path: string; range: string | undefined };
/** Answers in the registry's place; false leaves it to the registry. */
export type Mischief = (request: IncomingMessage, response: ServerResponse, body: Buffer | undefined) => boolean;

export type ScriptedRegistry = {
  /** `127.0.0.1:PORT`. */
  host: string;
  asked: Asked[];
  /** How often a blob was asked for. */
  times: (digest: string) => number;
  /** Puts in an image of these layers; its manifest's digest, and those of its layers. */
  image: (name: string, layers: Buffer[], said?: Said) => Image;
  /** Puts in a blob as it is; its digest. */
  blob: (data: Buffer | string) => string;
  /** Puts in a manifest or index as it is, to be announced as of that type; its digest. */
  document: (name: string, type: string, data: Buffer | string) => string;
  /** Puts in an image of these layers as they are, however they are compressed. */
  imageAsIs: (name: string, layers: Buffer[]) => Image;
  /** Puts in an index of images that are there. */
  index: (name: string, images: Image[]) => string;
  misbehave: (mischief: Mischief) => void;
  close: () => Promise<void>;
};

/** What an image says of itself; annotations are wherever they may be. */
export type Said = { platform?: Image["platform"]; config?: object; annotations?: Record<string, string> };

export type Image = {
  digest: string;
  size: number;
  layers: string[];
  platform: { os: string; architecture: string };
};

export async function openRegistry(tls?: { cert: string; key: string }): Promise<ScriptedRegistry> {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, { type: string; data: Buffer }>();
  const asked: Asked[] = [];
  const sockets = new Set<Socket>();
  let mischief: Mischief = () => false;

  const put = (data: Buffer | string): Buffer => {
    const bytes = Buffer.from(data);
    blobs.set(digestOf(bytes), bytes);
    return bytes;
  };
  const name = (path: string, type: string, text: Buffer | string): Buffer => {
    const data = Buffer.from(text);
    const [repository = "", tag = ""] = path.split(":");
    for (const reference of [tag, digestOf(data)]) manifests.set(`${repository}:${reference}`, { type, data });
    return data;
  };
  const own = { os: "linux", architecture: ARCHITECTURE };
  /** `layers` as they travel, and the digests that they have unpacked. */
  const image = (
    path: string,
    layers: Buffer[],
    diffIds: string[],
    type: string,
    { platform = own, config = { Cmd: ["sh"] }, annotations = {} }: Said = {},
  ): Image => {
    const configuration = put(JSON.stringify({ ...platform, config, rootfs: { type: "layers", diff_ids: diffIds } }));
    const manifest = {
      schemaVersion: 2,
      mediaType: TYPE.manifest,
      config: { ...describe(TYPE.config, configuration), annotations },
      layers: layers.map((layer) => ({ ...describe(type, put(layer)), annotations })),
      annotations,
    };
    const data = name(path, TYPE.manifest, JSON.stringify(manifest));
    return { digest: digestOf(data), size: data.length, layers: layers.map(digestOf), platform };
  };

  const send = (request: IncomingMessage, response: ServerResponse, type: string, data: Buffer): void => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const range = from > 0 ? { "content-range": `bytes ${from}-${data.length - 1}/${data.length}` } : {};
    response.writeHead(from > 0 ? 206 : 200, {
      "content-type": type,
      "content-length": data.length - from,
      ...range,
    });
    response.end(request.method === "HEAD" ? undefined : data.subarray(from));
  };
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const path = request.url ?? "";
    asked.push({ method: request.method ?? "", path, range: request.headers.range });
    const [, repository = "", kind, reference = ""] = /^\/v2\/(.+)\/(blobs|manifests)\/([^/]+)$/.exec(path) ?? [];
    const blob = kind === "blobs" ? blobs.get(reference) : undefined;
    if (mischief(request, response, blob)) return;
    const manifest = kind === "manifests" ? manifests.get(`${repository}:${reference}`) : undefined;
    const tags = /^\/v2\/(.+)\/tags\/list/.exec(path)?.[1];
    if (blob !== undefined) send(request, response, "application/octet-stream", blob);
    else if (manifest !== undefined) send(request, response, manifest.type, manifest.data);
    else if (tags !== undefined) {
      const all = [...manifests.keys()].filter((key) => key.startsWith(`${tags}:`) && !key.includes("sha256:"));
      const list = { name: tags, tags: all.map((key) => key.slice(tags.length + 1)) };
      send(request, response, "application/json", Buffer.from(JSON.stringify(list)));
    } else if (path === "/v2/") send(request, response, "application/json", Buffer.from("{}"));
    else response.writeHead(404, { "content-type": "application/json" }).end('{"errors":[{"code":"NAME_UNKNOWN"}]}');
  };
  const server = tls === undefined ? createServer(answer) : createSecureServer(tls, answer);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    times: (digest) => asked.filter(({ path }) => path.endsWith(`/blobs/${digest}`)).length,
    blob: (data) => digestOf(put(data)),
    document: (path, type, data) => digestOf(name(path, type, data)),
    image(path, layers, said) {
      const packed = layers.map((layer) => gzipSync(layer, { level: 1 }));
      return image(path, packed, layers.map(digestOf), `${TYPE.layer}+gzip`, said);
    },
    imageAsIs: (path, layers) => image(path, layers, layers.map(digestOf), TYPE.layer),
    index(path, images) {
      const list = images.map(({ digest, size, platform }) => ({ mediaType: TYPE.manifest, digest, size, platform }));
      const text = JSON.stringify({ schemaVersion: 2, mediaType: TYPE.index, manifests: list });
      return digestOf(name(path, TYPE.index, text));
    },
    misbehave(next) {
      mischief = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Has a registry send half of a blob, and the rest when `goOn` is called. */
export function holdHalf(
  registry: ScriptedRegistry,
  digest: string | undefined,
): { reached: Promise<void>; goOn: () => void } {
  let reach = (): void => undefined;
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  const held = { reached, goOn: (): void => undefined };
  registry.misbehave((_, response, blob) => {
    if (blob === undefined || digestOf(blob) !== digest) return false;
    const half = Math.floor(blob.length / 2);
    response.writeHead(200, { "content-length": blob.length });
    response.write(blob.subarray(0, half));
    held.goOn = () => response.end(blob.subarray(half));
    reach();
    return true;
  });
  return held;
}

/** Has a registry take whatever is uploaded, and forget it. */
export function takeUploads(registry: ScriptedRegistry): void {
  registry.misbehave((request, response) => {
    const { method, url = "" } = request;
    if (method === "HEAD" && url.includes("/blobs/")) response.writeHead(404).end();
    else if (method === "POST") response.writeHead(202, { location: `${url}one` }).end();
    else if (method === "PUT") request.resume().once("end", () => response.writeHead(201).end());
    else return false;
    return true;
  });
}
