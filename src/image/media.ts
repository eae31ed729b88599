/**
 * Media types: image-spec media-types.md, and docker's (distribution manifest-v2-2).
 */
export const MEDIA = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
} as const;

const INDEXES: readonly string[] = [MEDIA.index, "application/vnd.docker.distribution.manifest.list.v2+json"];
const MANIFESTS: readonly string[] = [MEDIA.manifest, "application/vnd.docker.distribution.manifest.v2+json"];
const CONFIGS: readonly string[] = [MEDIA.config, "application/vnd.docker.container.image.v1+json"];
const LAYERS: readonly string[] = [
  MEDIA.layer,
  `${MEDIA.layer}+gzip`,
  `${MEDIA.layer}+zstd`,
  "application/vnd.oci.image.layer.nondistributable.v1.tar",
  "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
  "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
  "application/vnd.docker.image.rootfs.diff.tar",
  "application/vnd.docker.image.rootfs.diff.tar.gzip",
  "application/vnd.docker.image.rootfs.diff.tar.zstd",
  "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
];

export const isIndexType = (type: string): boolean => INDEXES.includes(type);
export const isManifestType = (type: string): boolean => MANIFESTS.includes(type);
export const isConfigType = (type: string): boolean => CONFIGS.includes(type);
export const isLayerType = (type: string): boolean => LAYERS.includes(type);

/** The type of a layer by how it is compressed. */
export function layerType(compression: "none" | "gzip" | "zstd"): string {
  return compression === "none" ? MEDIA.layer : `${MEDIA.layer}+${compression}`;
}
