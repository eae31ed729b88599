/**
 * `--security-opt`, with docker's words.
 */
import { Failure } from "../failure.ts";

export interface SecurityOptions {
  readonly noNewPrivileges?: boolean;
  /** `unconfined`, or the file of a profile; undefined: the default profile. */
  readonly seccomp?: { readonly kind: "unconfined" } | { readonly kind: "file"; readonly path: string };
  readonly apparmor?: string;
  readonly selinux?: string;
  /** Whether nothing of /proc and /sys is masked or read-only. */
  readonly unmasked: boolean;
}

export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  let parsed: SecurityOptions = { unmasked: false };
  let label: string[] = [];
  for (const option of options) {
    const separator = option.search(/[=:]/);
    const [key, value] = separator < 0 ? [option, ""] : [option.slice(0, separator), option.slice(separator + 1)];
    if (key === "no-new-privileges") parsed = { ...parsed, noNewPrivileges: parseBoolean(option, value || "true") };
    else if (key === "seccomp") {
      parsed = { ...parsed, seccomp: value === "unconfined" ? { kind: "unconfined" } : { kind: "file", path: value } };
    } else if (key === "apparmor") parsed = { ...parsed, apparmor: value };
    else if (key === "label") label = [...label, value];
    else if (key === "systempaths" && value === "unconfined") parsed = { ...parsed, unmasked: true };
    else {
      throw new Failure(`unknown security option '${option}'`, {
        hint: "use no-new-privileges, seccomp=, apparmor=, label= or systempaths=unconfined",
      });
    }
  }
  const selinux = composeLabel(label);
  return selinux === undefined ? parsed : { ...parsed, selinux };
}

function parseBoolean(option: string, value: string): boolean {
  if (value === "true" || value === "false") return value === "true";
  throw new Failure(`bad security option '${option}'`, { hint: "use no-new-privileges, or no-new-privileges=false" });
}

/** `user:USER`, `role:ROLE`, `type:TYPE`, `level:LEVEL` -> a label; `disable` is none. */
function composeLabel(parts: readonly string[]): string | undefined {
  if (parts.length === 0 || parts.includes("disable")) return undefined;
  const values: Record<string, string> = { user: "system_u", role: "system_r", type: "container_t", level: "s0" };
  for (const part of parts) {
    const colon = part.indexOf(":");
    const key = part.slice(0, Math.max(colon, 0));
    if (!(key in values))
      throw new Failure(`unknown label option '${part}'`, { hint: "use user:, role:, type:, level: or disable" });
    values[key] = part.slice(colon + 1);
  }
  return `${values["user"]}:${values["role"]}:${values["type"]}:${values["level"]}`;
}
