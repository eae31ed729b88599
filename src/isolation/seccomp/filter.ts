/**
 * From what is asked for to a filter that can be installed. The default one of most containers was compiled at build time;
 * for others the compiler is loaded, which is why this is asked before a container's first process is made.
 */
import { arch, utf8 } from "../../linux/door.ts";
import type { Seccomp } from "../../spec/config.ts";
import { filterKey } from "./filter-key.ts";
import { defaultFilter, filterFromProfile } from "./from-profile.ts";
import { DEFAULT_FLAGS, type Filter } from "./install.ts";
import { PREBUILT } from "./prebuilt.ts";

export type SeccompChoice =
  | { readonly kind: "none" }
  | { readonly kind: "default" }
  | { readonly kind: "profile"; readonly profile: Seccomp };

/**
 * The filter of a container; undefined if it has none.
 * @param capabilities of its bounding set, by name
 * @throws Failure if the profile is malformed
 */
export function filterOf(choice: SeccompChoice, capabilities: readonly string[]): Filter | undefined {
  switch (choice.kind) {
    case "none":
      return undefined;
    case "default":
      return prebuiltFilter(capabilities) ?? defaultFilter(capabilities);
    case "profile":
      return filterFromProfile(choice.profile);
  }
}

/** The default filter for these capabilities, if the build has made it. */
function prebuiltFilter(capabilities: readonly string[]): Filter | undefined {
  const program = PREBUILT[filterKey(capabilities, arch)];
  return program === undefined ? undefined : { program: utf8(program), flags: DEFAULT_FLAGS };
}
