/**
 * Which versions of the OCI runtime specification are understood (features.md#specification-version).
 */
export const OCI_VERSION_MIN = "1.0.0";
export const OCI_VERSION_MAX = "1.2.1";
