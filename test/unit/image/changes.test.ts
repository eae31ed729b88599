import assert from "node:assert/strict";
import { test } from "node:test";
import { applyChanges } from "../../../src/image/changes.ts";

test("changes are instructions of a Dockerfile", () => {
  const changes = [
    'CMD ["sh","-c","echo \\"hi\\""]',
    "entrypoint /bin/app --flag",
    'ENV A=1 B=\'two words\' C="x\\"y"',
    "ENV A 2 and more",
    "USER 1000:100",
    "WORKDIR /srv",
    "WORKDIR data",
    "EXPOSE 80 53/udp",
    "VOLUME /data /cache",
    'VOLUME ["/with space"]',
    "LABEL a=b c=",
    "STOPSIGNAL SIGINT",
  ];
  assert.deepEqual(applyChanges(changes), {
    Cmd: ["sh", "-c", 'echo "hi"'],
    Entrypoint: ["/bin/sh", "-c", "/bin/app --flag"],
    Env: ["B=two words", 'C=x"y', "A=2 and more"],
    User: "1000:100",
    WorkingDir: "/srv/data",
    ExposedPorts: { "80/tcp": {}, "53/udp": {} },
    Volumes: { "/data": {}, "/cache": {}, "/with space": {} },
    Labels: { a: "b", c: "" },
    StopSignal: "SIGINT",
  });
});

test("what cannot be changed is refused", () => {
  for (const change of ["RUN ls", "CMD", "", "ENV =x", "ENV A", "EXPOSE http", "FROM x"])
    assert.throws(() => applyChanges([change]), /bad change/, change);
});
