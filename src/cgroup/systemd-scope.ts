/**
 * Scopes: units of systemd's for processes that somebody else has made. org.freedesktop.systemd1(5).
 */
import { Failure } from "../failure.ts";
import { variable } from "../linux/environment.ts";
import { CgroupInUse } from "./apply.ts";
import { type Address, type Connection, connectFirst, type Method, RefusedCall } from "./dbus-connection.ts";
import type { Property, SystemdPlace } from "./systemd.ts";

const SYSTEMD = "org.freedesktop.systemd1";
const MANAGER_PATH = "/org/freedesktop/systemd1";
const UNIT_EXISTS = `${SYSTEMD}.UnitExists`;
const NO_SUCH_UNIT = `${SYSTEMD}.NoSuchUnit`;

function manager(member: string, signature: string): Method {
  return { destination: SYSTEMD, path: MANAGER_PATH, interface: `${SYSTEMD}.Manager`, member, signature };
}

/** Of the system's manager, or (`isUser`) of this user's own. */
function addressesOf(isUser: boolean): Address[] {
  if (!isUser) {
    return [
      { path: "/run/systemd/private", isBus: false },
      { path: "/run/dbus/system_bus_socket", isBus: true },
    ];
  }
  const runtimeDirectory = variable("XDG_RUNTIME_DIR");
  // Of several addresses the first: its path may be followed by what else is known of it.
  const named = (variable("DBUS_SESSION_BUS_ADDRESS") ?? "").split(/[,;]/, 1)[0] ?? "";
  return [
    ...(runtimeDirectory ? [{ path: `${runtimeDirectory}/systemd/private`, isBus: false }] : []),
    ...(named.startsWith("unix:path=") ? [{ path: named.slice("unix:path=".length), isBus: true }] : []),
    ...(runtimeDirectory ? [{ path: `${runtimeDirectory}/bus`, isBus: true }] : []),
  ];
}

/** Below which cgroup the manager has its units: empty for that of the system. */
export function managerCgroup(isUser: boolean): string {
  if (!isUser) return "";
  using connection = connectFirst(addressesOf(true));
  const [variant] = connection.call(
    {
      destination: SYSTEMD,
      path: MANAGER_PATH,
      interface: "org.freedesktop.DBus.Properties",
      member: "Get",
      signature: "ss",
    },
    `${SYSTEMD}.Manager`,
    "ControlGroup",
  );
  const value = typeof variant === "object" && "value" in variant ? variant.value : "";
  return typeof value === "string" && value !== "/" ? value : "";
}

export interface ScopeRequest {
  readonly place: SystemdPlace;
  readonly isUser: boolean;
  readonly description: string;
  /** Of what is not the same for all scopes. */
  readonly properties: readonly Property[];
}

/**
 * Has systemd put a process into a new scope, and waits until it has. Throws a Failure, after which there is no such scope; a
 * CgroupInUse if there is one of that name already, which is left alone.
 */
export function startScope({ place, isUser, description, properties }: ScopeRequest, pid: number): void {
  using connection = connectFirst(addressesOf(isUser));
  connection.call(manager("Subscribe", ""));
  const isSlice = place.unit.endsWith(".slice");
  const all: Property[] = [
    { name: "Description", signature: "s", value: description },
    isSlice
      ? { name: "Wants", signature: "as", value: [place.slice] }
      : { name: "Slice", signature: "s", value: place.slice },
    ...(isSlice ? [] : [{ name: "Delegate", signature: "b", value: true }]),
    ...(isSlice ? [] : [{ name: "PIDs", signature: "au", value: [pid] }]),
    ...["CPUAccounting", "MemoryAccounting", "TasksAccounting", "IOAccounting"].map((name) => ({
      name,
      signature: "b",
      value: true,
    })),
    { name: "DefaultDependencies", signature: "b", value: false },
    ...properties,
  ];
  const start = () =>
    connection.call(
      manager("StartTransientUnit", "ssa(sv)a(sa(sv))"),
      place.unit,
      "replace",
      all.map(({ name, signature, value }) => [name, { signature, value }]),
      [],
    );
  const [job] = startAnew(start, () => resetFailed(connection, place.unit));
  try {
    const [, , , result] = connection.awaitSignal("JobRemoved", ([, path]) => path === job);
    if (result === "done") return;
    throw new Failure(`systemd could not start the unit ${place.unit}: ${String(result)}`, {
      hint: `'systemctl status ${place.unit}' and its journal tell why`,
    });
  } catch (error) {
    abandon(connection, place.unit);
    throw error;
  }
}

/** A unit of that name that has failed before is in the way until it is reset. One that is well is somebody else's. */
function startAnew<T>(start: () => T, reset: () => void): T {
  const exists = (error: unknown): error is RefusedCall =>
    error instanceof RefusedCall && error.errorName === UNIT_EXISTS;
  try {
    return start();
  } catch (error) {
    if (!exists(error)) throw error;
  }
  reset();
  try {
    return start();
  } catch (error) {
    throw exists(error) ? new CgroupInUse(error.message, { hint: "choose another 'cgroupsPath'" }) : error;
  }
}

/** Takes back a start that did not come to its end. What went wrong before is the error to be told. */
function abandon(connection: Connection, unit: string): void {
  try {
    connection.call(manager("StopUnit", "ss"), unit, "replace");
    resetFailed(connection, unit);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
}

function resetFailed(connection: Connection, unit: string): void {
  try {
    connection.call(manager("ResetFailedUnit", "s"), unit);
  } catch (error) {
    if (!(error instanceof RefusedCall) || error.errorName !== NO_SUCH_UNIT) throw error;
  }
}

/** Changes limits of a unit until it ends; they are in its cgroup when this returns. */
export function updateScope(unit: string, isUser: boolean, properties: readonly Property[]): void {
  if (properties.length === 0) return;
  using connection = connectFirst(addressesOf(isUser));
  connection.call(
    manager("SetUnitProperties", "sba(sv)"),
    unit,
    true,
    properties.map(({ name, signature, value }) => [name, { signature, value }]),
  );
  // It answers first and writes then, before it takes the next call.
  connection.call(manager("GetUnit", "s"), unit);
}

/** Stops a unit and forgets how it ended; one that is gone is fine. */
export function stopScope(unit: string, isUser: boolean): void {
  using connection = connectFirst(addressesOf(isUser));
  connection.call(manager("Subscribe", ""));
  try {
    const [job] = connection.call(manager("StopUnit", "ss"), unit, "replace");
    connection.awaitSignal("JobRemoved", ([, path]) => path === job);
  } catch (error) {
    if (!(error instanceof RefusedCall) || error.errorName !== NO_SUCH_UNIT) throw error;
  }
  resetFailed(connection, unit);
}
