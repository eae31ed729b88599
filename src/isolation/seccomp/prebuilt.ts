/**
 * Default filters that were compiled when the executable was built: `MACHINE CAPABILITIES` (see filter.ts) -> the program,
 * as a string whose encoding (linux/door.ts) is its bytes. The build puts them here (tools/prebuilt-filters.mjs); without it
 * there are none, and filters are compiled when they are needed.
 */
export const PREBUILT: Readonly<Record<string, string>> = {};
