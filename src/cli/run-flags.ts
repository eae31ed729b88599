/**
 * The flags of `run`. What they are for is told in run-help.ts, which is loaded only to be shown; what they mean is in
 * run-options.ts.
 */
import { list, text, toggle } from "../term/flags.ts";

// One declaration serves all flags that differ in nothing but their names: this is on the way of every start.
const TOGGLE = toggle();
const TEXT = text();
const LIST = list();

export const RUN_FLAGS = {
  "add-host": LIST,
  "blkio-weight": TEXT,
  "cap-add": LIST,
  "cap-drop": LIST,
  cgroupns: TEXT,
  cidfile: TEXT,
  "cpu-period": TEXT,
  "cpu-quota": TEXT,
  "cpu-shares": text("c"),
  cpus: TEXT,
  "cpuset-cpus": TEXT,
  "cpuset-mems": TEXT,
  detach: toggle("d"),
  device: LIST,
  "device-cgroup-rule": LIST,
  dns: LIST,
  "dns-option": LIST,
  "dns-search": LIST,
  domainname: TEXT,
  "dry-run": TOGGLE,
  entrypoint: TEXT,
  env: list("e"),
  "env-file": LIST,
  format: TEXT,
  "group-add": LIST,
  hostname: text("h"),
  init: TOGGLE,
  interactive: toggle("i"),
  ip: TEXT,
  ipc: TEXT,
  label: list("l"),
  "label-file": LIST,
  "mac-address": TEXT,
  memory: text("m"),
  "memory-reservation": TEXT,
  "memory-swap": TEXT,
  "memory-swappiness": TEXT,
  mount: LIST,
  name: TEXT,
  network: TEXT,
  "oom-kill-disable": TOGGLE,
  "oom-score-adj": TEXT,
  pid: TEXT,
  "pids-limit": TEXT,
  platform: TEXT,
  privileged: TOGGLE,
  publish: list("p"),
  pull: TEXT,
  quiet: toggle("q"),
  "read-only": TOGGLE,
  rootfs: TOGGLE,
  rm: TOGGLE,
  "security-opt": LIST,
  "shm-size": TEXT,
  "sig-proxy": TOGGLE,
  "stop-signal": TEXT,
  "stop-timeout": TEXT,
  sysctl: LIST,
  timeout: TEXT,
  tmpfs: LIST,
  trace: TOGGLE,
  tty: toggle("t"),
  ulimit: LIST,
  user: text("u"),
  userns: TEXT,
  uts: TEXT,
  volume: list("v"),
  workdir: text("w"),
} as const;

/** docker's older names. */
export const RUN_ALIASES = { net: "network", "dns-opt": "dns-option" } as const;
