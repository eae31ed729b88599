import assert from "node:assert/strict";
import { test } from "node:test";
import { exposedPorts, publishOf } from "../../../src/container/exposed.ts";
import { Failure } from "../../../src/failure.ts";

const IMAGE = { ExposedPorts: { "80/tcp": {}, "53/udp": {}, "8000-8001": {}, $PORT: {}, "1:2": {} } };

test("what an image and --expose name is exposed once, ranges port by port, and what is no port is not", () => {
  assert.deepEqual(exposedPorts({ expose: ["80", "9/sctp"] }, IMAGE), [
    "80/tcp",
    "53/udp",
    "8000/tcp",
    "8001/tcp",
    "9/sctp",
  ]);
  assert.deepEqual(exposedPorts({ expose: [] }, {}), []);
  for (const wrong of ["x", "0", "70000", "1:2", "80/icmp", "9-8"]) {
    assert.throws(() => exposedPorts({ expose: [wrong] }, {}), Failure, wrong);
  }
  assert.throws(() => exposedPorts({ expose: ["1-400", "500-900"] }, {}), Failure);
});

test("publish-all adds those exposed ports that have no place of their own", () => {
  const options = { publish: ["8080:80"], expose: ["443"], publishAll: true };
  assert.deepEqual(publishOf(options, { ExposedPorts: { "80/tcp": {}, "80/udp": {} } }), [
    "8080:80",
    ":80/udp",
    ":443/tcp",
  ]);
  assert.deepEqual(publishOf({ ...options, publishAll: false }, IMAGE), ["8080:80"]);
});
