import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../../../src/failure.ts";
import { hostnameFile, hostsFile, isStubOnly, OWN_LOOPBACK, resolvConf } from "../../../src/network/files.ts";

const body = (text: string) => text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));

test("the host's resolvers, search list and options are taken over", () => {
  const host = "nameserver 10.0.0.53\nsearch a.example b.example\noptions ndots:2 edns0\n";
  assert.deepEqual(body(resolvConf({ host, hostNetwork: false })), [
    "nameserver 10.0.0.53",
    "search a.example b.example",
    "options ndots:2 edns0",
  ]);
});

test("resolvers on the host's loopback and on IPv6 are left out", () => {
  const host = "nameserver 127.0.0.53\nnameserver ::1\nnameserver fe80::1%eth0\nnameserver 10.0.0.1\n";
  assert.deepEqual(body(resolvConf({ host, hostNetwork: false })), ["nameserver 10.0.0.1"]);
});

test("public resolvers stand in where the host names none that can be reached", () => {
  const host = "nameserver 127.0.0.1\n";
  assert.deepEqual(body(resolvConf({ host, hostNetwork: false })), ["nameserver 8.8.8.8", "nameserver 8.8.4.4"]);
});

test("with the host's network the host's file is taken as it is", () => {
  const host = "# mine\nnameserver 127.0.0.53\n";
  assert.equal(resolvConf({ host, hostNetwork: true }), host);
});

test("each flag replaces what the host has of its kind, and only that", () => {
  const host = "nameserver 10.0.0.1\nsearch old.example\noptions rotate\n";
  assert.deepEqual(body(resolvConf({ host, hostNetwork: false, dns: ["1.1.1.1"], options: ["ndots:5"] })), [
    "nameserver 1.1.1.1",
    "search old.example",
    "options ndots:5",
  ]);
});

test("a resolver on loopback is taken if the user asks for it", () => {
  assert.deepEqual(body(resolvConf({ host: "", hostNetwork: false, dns: ["127.0.0.1"] })), ["nameserver 127.0.0.1"]);
});

test("a search list of one dot means none", () => {
  const host = "nameserver 10.0.0.1\nsearch old.example\n";
  assert.deepEqual(body(resolvConf({ host, hostNetwork: false, search: ["."] })), ["nameserver 10.0.0.1"]);
});

test("a flag cannot smuggle in a line", () => {
  for (const word of ["a\nnameserver 6.6.6.6", "a b", "", "a\r"]) {
    assert.throws(() => resolvConf({ host: "", hostNetwork: false, search: [word] }), Failure);
    assert.throws(() => resolvConf({ host: "", hostNetwork: false, options: [word] }), Failure);
    assert.throws(() => resolvConf({ host: "", hostNetwork: false, dns: [word] }), Failure);
    assert.throws(() => hostsFile({ addHosts: [`${word}:10.0.0.1`] }), Failure);
  }
});

test("a resolver that is no address is refused", () => {
  assert.throws(() => resolvConf({ host: "", hostNetwork: false, dns: ["dns.example"] }), /no IP address/);
});

test("systemd's stub alone is recognised", () => {
  assert.equal(isStubOnly("nameserver 127.0.0.53\noptions edns0\n"), true);
  assert.equal(isStubOnly("nameserver 127.0.0.53\nnameserver 10.0.0.1\n"), false);
  assert.equal(isStubOnly("nameserver 127.0.0.1\n"), false);
});

test("the hosts file names localhost, what was added, and the container itself", () => {
  const text = hostsFile({
    addHosts: ["db:10.0.0.7", "gw:host-gateway", "six=[fd00::0:1]"],
    gateway: "172.16.0.1",
    own: { address: "172.16.0.2", hostname: "box" },
  });
  assert.deepEqual(text.split("\n").slice(-5), [
    "10.0.0.7\tdb",
    "172.16.0.1\tgw",
    "fd00::1\tsix",
    "172.16.0.2\tbox",
    "",
  ]);
  assert.match(text, /^127\.0\.0\.1\tlocalhost\n::1\tlocalhost /);
});

test("a container with a domain is found by its full and its short name", () => {
  const text = hostsFile({ base: "", own: { address: "172.16.0.2", hostname: "box", domainname: "lab.example" } });
  assert.equal(text, "172.16.0.2\tbox.lab.example box\n");
});

test("a container without an address finds itself on the loopback, apart from localhost", () => {
  const text = hostsFile({ own: { address: OWN_LOOPBACK, hostname: "box" } });
  assert.match(text, /^127\.0\.0\.1\tlocalhost$/m);
  assert.match(text, /^127\.0\.1\.1\tbox$/m);
});

test("an added host without name or address is refused", () => {
  for (const text of ["db", ":10.0.0.1", "db:", "db:10.0.0", "db:host-gateway", "#:1.1.1.1"]) {
    assert.throws(() => hostsFile({ addHosts: [text] }), Failure, text);
  }
});

test("the hostname file is the name on a line", () => {
  assert.equal(hostnameFile("box"), "box\n");
});
