/** The version of the OCI runtime specification that is implemented. */
export const SPEC_VERSION = "1.2.1";
