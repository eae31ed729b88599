import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../../../src/failure.ts";
import { parseAddress, parseSubnet } from "../../../src/network/address.ts";
import { candidates, capacityOf } from "../../../src/network/leases.ts";
import {
  checkNetwork,
  DEFAULT_NETWORK,
  linkSuffix,
  macOf,
  type NetworkOptions,
  networkOf,
  parseMac,
  planNetwork,
} from "../../../src/network/plan.ts";

const plan = (options: Partial<NetworkOptions>) =>
  planNetwork({ container: "alpine-c4a2f1", ...options }, { networks: [DEFAULT_NETWORK] });

test("a container is on the bridge unless asked otherwise", () => {
  assert.deepEqual(plan({}), {
    kind: "bridge",
    container: "alpine-c4a2f1",
    network: DEFAULT_NETWORK,
    hostLink: "veth0-c4a2f1",
    peerLink: "veth1-c4a2f1",
    name: "eth0",
    mtuBytes: 1500,
    ports: [],
  });
});

test("a plan survives JSON", () => {
  const bridge = plan({ publish: ["8080:80"], ip: "172.16.0.9", mac: "02:00:00:00:00:01" });
  assert.deepEqual(JSON.parse(JSON.stringify(bridge)), bridge);
});

test("none, host and another container's network", () => {
  assert.deepEqual(plan({ network: "none" }), { kind: "none" });
  assert.deepEqual(plan({ network: "host", publish: ["80:80"] }), { kind: "host" });
  assert.deepEqual(plan({ network: "container:db" }), { kind: "container", container: "db" });
});

test("contradictions and unknown networks are refused", () => {
  for (const options of [
    { network: "nowhere" },
    { container: "../up" },
    { container: "" },
    { network: "container:" },
    { network: "container:db", publish: ["80:80"] },
    { network: "none", ip: "172.16.0.2" },
    { ip: "10.0.0.1" },
    { ip: "172.16.0.0" },
    { ip: "172.16.0.1" },
    { ip: "172.16.0.255" },
    { mac: "03:00:00:00:00:01" },
    { mac: "00:00:00:00:00:00" },
    { mtuBytes: 20 },
    { network: "host", publish: ["x"] },
  ]) {
    assert.throws(() => plan(options), Failure, JSON.stringify(options));
  }
});

test("links are named after the hex digits of the id, or a hash of another id", () => {
  assert.equal(linkSuffix("alpine-c4a2f1"), "c4a2f1");
  for (const id of ["web", "alpine-c4a2f", "alpine-C4A2F1", "x".repeat(200), "c4a2f1", ""]) {
    assert.match(linkSuffix(id), /^[0-9a-f]{8}$/, id);
  }
  assert.notEqual(linkSuffix("web"), linkSuffix("wec"));
  assert.ok(`veth0-${linkSuffix("web")}`.length <= 15);
});

test("a link's address is made from its IP address", () => {
  assert.deepEqual(macOf(new Uint8Array([172, 16, 0, 2])), parseMac("02:42:ac:10:00:02"));
});

test("networks that cannot work are refused", () => {
  assert.equal(networkOf("wide", "br-wide", "10.88.0.0/16").gateway, "10.88.0.1");
  for (const change of [
    { subnet: "172.16.0.1/24" },
    { subnet: "172.16.0.0/30" },
    { subnet: "0.0.0.0/0" },
    { subnet: "fd00::/64" },
    { gateway: "172.16.0.0" },
    { gateway: "10.0.0.1" },
    { bridge: "a-name-far-too-long" },
    { bridge: "a/b" },
    { bridge: "" },
    { network: "../up" },
    { network: ".hidden" },
  ]) {
    assert.throws(() => checkNetwork({ ...DEFAULT_NETWORK, ...change }), Failure, JSON.stringify(change));
  }
});

test("the first free address comes first, then those behind the hint, then the others", () => {
  const subnet = parseSubnet("10.0.0.0/29");
  const gateway = parseAddress("10.0.0.1");
  assert.ok(subnet && gateway);
  assert.deepEqual([...candidates(subnet, gateway, 1)], [2, 3, 4, 5, 6]);
  assert.deepEqual([...candidates(subnet, gateway, 4)], [4, 5, 6, 2, 3]);
  assert.deepEqual([...candidates(subnet, gateway, 999)], [2, 3, 4, 5, 6]);
  assert.deepEqual([...candidates(subnet, gateway, -3)], [2, 3, 4, 5, 6]);
  assert.equal(capacityOf(subnet), 5);
});
