/**
 * What the specification asks of config.json beyond its shape (config.md), as far as it can be said without a look at the
 * host. What runc and crun take is taken.
 */
import { Failure } from "../failure.ts";
import { checkHostNames, checkLinux } from "./check-linux.ts";
import { checkProcess } from "./check-process.ts";
import type { Hook, Mount, Spec } from "./config.ts";
import { showValue } from "./json-path.ts";

/** semver.org 2.0, of which the major number is 1: 1.0.2-dev, 1.2.0+dev. */
const VERSION = /^1\.(?:0|[1-9][0-9]{0,8})\.(?:0|[1-9][0-9]{0,8})(?:-[0-9A-Za-z.-]{1,64})?(?:\+[0-9A-Za-z.-]{1,64})?$/;
const SOURCE = "config.json";

/**
 * Throws a Failure that begins with the place: `config.json: process.args: must not be empty`. Destinations of mounts that
 * are relative are made absolute, as runc does it.
 * @returns warnings: what was ignored or mended
 */
export function checkConfig(spec: Spec): string[] {
  if (!VERSION.test(spec.ociVersion)) {
    throw new Failure(`${SOURCE}: ociVersion: expected a version 1.x.y, got ${showValue(spec.ociVersion)}`);
  }
  if (spec.root === undefined) throw new Failure(`${SOURCE}: root is missing`);
  // It would be the bundle itself, with its config.json.
  if (spec.root.path === "") throw new Failure(`${SOURCE}: root.path: must not be empty`);
  if (spec.process === undefined) throw new Failure(`${SOURCE}: process is missing`);
  const warnings = checkProcess(spec.process, `${SOURCE}: process`);
  checkHostNames(spec, SOURCE);
  for (const [index, mount] of (spec.mounts ?? []).entries()) {
    if (!isPlain(mount)) warnings.push(...checkMount(mount, spec, `${SOURCE}: mounts[${index}]`));
  }
  for (const [kind, hooks] of Object.entries(spec.hooks ?? {})) checkHooks(hooks, `${SOURCE}: hooks.${kind}`);
  if (spec.annotations !== undefined && Object.hasOwn(spec.annotations, "")) {
    throw new Failure(`${SOURCE}: annotations: a key must not be empty`);
  }
  if (spec.linux !== undefined) warnings.push(...checkLinux(spec.linux, `${SOURCE}: linux`));
  return warnings;
}

/** Of most mounts there is nothing more to be said. */
function isPlain({ destination, options = [], uidMappings, gidMappings }: Mount): boolean {
  const hasMappings = uidMappings !== undefined || gidMappings !== undefined;
  return destination.startsWith("/") && !hasMappings && !options.includes("idmap") && !options.includes("ridmap");
}

function checkMount(mount: Mount, { linux }: Spec, at: string): string[] {
  const { destination, options = [], uidMappings = [], gidMappings = [] } = mount;
  if (destination === "") throw new Failure(`${at}.destination: must not be empty`);
  const hasMappings = uidMappings.length > 0 || gidMappings.length > 0;
  const isIdMapped = hasMappings || options.includes("idmap") || options.includes("ridmap");
  if (isIdMapped) {
    if (mount.type !== "bind" && !options.includes("bind") && !options.includes("rbind")) {
      throw new Failure(`${at}: only bind mounts can be mapped to other ids`);
    }
    const isWhole = uidMappings.length > 0 && gidMappings.length > 0;
    const hasUserNamespace = (linux?.namespaces ?? []).some(({ type }) => type === "user");
    if (!isWhole && (hasMappings || !hasUserNamespace)) {
      throw new Failure(`${at}: a mapped mount needs uidMappings and gidMappings`);
    }
  }
  if (destination.startsWith("/")) return [];
  mount.destination = `/${destination}`;
  return [`${at}.destination: ${showValue(destination)} is no absolute path; taken as relative to /`];
}

function checkHooks(hooks: readonly Hook[], at: string): void {
  for (const [index, { path, timeout }] of hooks.entries()) {
    if (!path.startsWith("/")) {
      throw new Failure(`${at}[${index}].path: must be an absolute path, got ${showValue(path)}`);
    }
    if (timeout !== undefined && timeout <= 0) {
      throw new Failure(`${at}[${index}].timeout: must be above 0, got ${timeout}`);
    }
  }
}
