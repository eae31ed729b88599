/**
 * Images made by hand, as OCI image layouts in archives: any layers, any history, any compression.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { type TarEntry, tar } from "./tar.ts";

export const ARCHITECTURE = { x64: "amd64", arm64: "arm64" }[process.arch as "x64" | "arm64"];

export const TYPE = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
} as const;

export type Compression = "none" | "gzip" | "zstd";

export type MadeImage = {
  /** In full: docker.io/library/made:1. */
  name: string;
  /** Archives, the lowest first. */
  layers: Buffer[];
  compression?: Compression;
  created?: string;
  labels?: Record<string, string>;
  history?: object[];
};

export const digestOf = (data: Buffer | string) => `sha256:${createHash("sha256").update(data).digest("hex")}`;

export const describe = (mediaType: string, data: Buffer | string) => ({
  mediaType,
  digest: digestOf(data),
  size: Buffer.byteLength(data),
});

function packed(layer: Buffer, compression: Compression): Buffer {
  switch (compression) {
    case "none":
      return layer;
    case "gzip":
      return gzipSync(layer);
    case "zstd":
      return execFileSync("zstd", ["-q", "-c"], { input: layer, maxBuffer: 1 << 28 });
  }
}

/** The digests of an image that was made: of its configuration and its manifest. */
export type Digests = { id: string; manifest: string };

/** An OCI image layout of these images in an archive, and their digests. */
export function layoutOf(...images: MadeImage[]): { archive: Buffer; digests: Digests[] } {
  const blobs = new Map<string, Buffer | string>();
  const add = (data: Buffer | string) => blobs.set(`blobs/sha256/${digestOf(data).slice(7)}`, data);
  const made = images.map(({ name, layers, compression = "none", created, labels, history }) => {
    const config = JSON.stringify({
      ...(created === undefined ? {} : { created }),
      architecture: ARCHITECTURE,
      os: "linux",
      config: { Cmd: ["sh"], ...(labels === undefined ? {} : { Labels: labels }) },
      rootfs: { type: "layers", diff_ids: layers.map(digestOf) },
      ...(history === undefined ? {} : { history }),
    });
    const archives = layers.map((layer) => packed(layer, compression));
    const suffix = compression === "none" ? "" : `+${compression}`;
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: TYPE.manifest,
      config: describe(TYPE.config, config),
      layers: archives.map((archive) => describe(`${TYPE.layer}${suffix}`, archive)),
    });
    for (const blob of [config, manifest, ...archives]) add(blob);
    const annotations = { "io.containerd.image.name": name };
    return {
      descriptor: { ...describe(TYPE.manifest, manifest), annotations },
      digests: { id: digestOf(config), manifest: digestOf(manifest) },
    };
  });
  const manifests = made.map(({ descriptor }) => descriptor);
  const index = JSON.stringify({ schemaVersion: 2, mediaType: TYPE.index, manifests });
  const files: TarEntry[] = [...blobs].map(([name, data]) => ({ name, data }));
  return {
    archive: tar({ name: "oci-layout", data: '{"imageLayoutVersion":"1.0.0"}' }, ...files, {
      name: "index.json",
      data: index,
    }),
    digests: made.map(({ digests }) => digests),
  };
}

/** A layer of files whose content is their name. */
export const layerOf = (...names: string[]) => tar(...names.map((name) => ({ name, data: name })));
