/** The version of the program: that of package.json (a test compares them). */
export const VERSION = "0.1.0";

/** Put in by the build. */
declare const BUILD_COMMIT: string;

/** What git calls the sources that were built; undefined where they came without it. */
export const COMMIT: string | undefined = (typeof BUILD_COMMIT === "string" && BUILD_COMMIT) || undefined;
