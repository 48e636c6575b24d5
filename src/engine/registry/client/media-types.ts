/** OCI Image Specification, "OCI Image Media Types", and those of Docker's image manifest version 2, schema 2. */
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
export const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar';
export const OCI_LAYER_GZIP = `${OCI_LAYER}+gzip`;
const OCI_LAYER_ZSTD = `${OCI_LAYER}+zstd`;
const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json';
const DOCKER_LAYER = 'application/vnd.docker.image.rootfs.diff.tar';

/** What a client says that it takes when it asks for a manifest. */
export const ACCEPTED_MANIFESTS = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST].join(', ');

export function isIndexType(mediaType: string): boolean {
  return mediaType === OCI_INDEX || mediaType === DOCKER_LIST;
}

export function isImageType(mediaType: string): boolean {
  return mediaType === OCI_MANIFEST || mediaType === DOCKER_MANIFEST;
}

export function isConfigType(mediaType: string): boolean {
  return mediaType === OCI_CONFIG || mediaType === DOCKER_CONFIG;
}

/** The older manifests of Docker, which had no configuration blob. */
export function isSchema1Type(mediaType: string): boolean {
  return mediaType.startsWith('application/vnd.docker.distribution.manifest.v1+');
}

const LAYERS: Readonly<Record<string, string>> = {
  [OCI_LAYER]: OCI_LAYER,
  [OCI_LAYER_GZIP]: OCI_LAYER_GZIP,
  [OCI_LAYER_ZSTD]: OCI_LAYER_ZSTD,
  [DOCKER_LAYER]: OCI_LAYER,
  [`${DOCKER_LAYER}.gzip`]: OCI_LAYER_GZIP,
  [`${DOCKER_LAYER}.zstd`]: OCI_LAYER_ZSTD,
  'application/vnd.docker.image.rootfs.foreign.diff.tar': OCI_LAYER,
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip': OCI_LAYER_GZIP,
  'application/vnd.oci.image.layer.nondistributable.v1.tar': OCI_LAYER,
  'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip': OCI_LAYER_GZIP,
  'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd': OCI_LAYER_ZSTD,
};

/** OCI's name for a layer's media type; undefined for what is no layer. */
export function layerTypeOf(mediaType: string): string | undefined {
  return LAYERS[mediaType];
}
