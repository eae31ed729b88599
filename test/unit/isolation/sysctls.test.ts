import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../../../src/failure.ts";
import { checkSysctls } from "../../../src/isolation/sysctls.ts";
import { namespaceOfSysctl } from "../../../src/spec/sysctls.ts";

test("a parameter belongs to the namespace that has its own copy", () => {
  assert.equal(namespaceOfSysctl("net.core.somaxconn"), "network");
  assert.equal(namespaceOfSysctl("net/ipv4/conf/eth0.1/forwarding"), "network");
  assert.equal(namespaceOfSysctl("kernel.shmmax"), "ipc");
  assert.equal(namespaceOfSysctl("fs.mqueue.msg_max"), "ipc");
  assert.equal(namespaceOfSysctl("kernel.domainname"), "uts");
  assert.equal(namespaceOfSysctl("user.max_user_namespaces"), "user");
});

test("parameters without a namespace are the host's", () => {
  for (const name of [
    "kernel.core_pattern",
    "vm.swappiness",
    "fs.file-max",
    "kernel.shmmaxx",
    "network.x",
    "kernel/shmmax/x",
  ]) {
    assert.equal(namespaceOfSysctl(name), undefined, name);
  }
});

test("a parameter of the host is refused with what to do", () => {
  assert.throws(
    () => checkSysctls({ "vm.swappiness": "1" }, ["network", "ipc"]),
    (error) => error instanceof Failure && error.hint?.includes("sysctl -w vm.swappiness=1") === true,
  );
});

test("a parameter of a namespace that is shared with the host is refused", () => {
  assert.throws(() => checkSysctls({ "net.ipv4.ip_forward": "1" }, ["ipc"]), /needs a network namespace/);
  checkSysctls({ "net.ipv4.ip_forward": "1" }, ["network"]);
});

test("names that lead elsewhere are refused", () => {
  for (const name of ["net", "net..x", "net/../kernel/core_pattern", "/net/x", "net/x/", "net.\0", ""]) {
    assert.throws(() => checkSysctls({ [name]: "1" }, ["network"]), Failure, name);
  }
});

test("a value of several lines is refused", () => {
  assert.throws(() => checkSysctls({ "net.core.somaxconn": "1\n2" }, ["network"]), /malformed/);
});
