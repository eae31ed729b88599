import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { historySteps } from "../../../src/image/history.ts";

test("steps that made a layer have its size, in order; others have none", () => {
  const history = [
    { created: "1970-01-01T00:00:01Z", created_by: "ADD rootfs" },
    { created_by: "ENV A=1", empty_layer: true, comment: "of a builder" },
    { created_by: "RUN something" },
  ];
  assert.deepEqual(historySteps({ history }, [100, 20]), [
    { createdMs: 1000, createdBy: "ADD rootfs", comment: "", sizeBytes: 100 },
    { createdMs: 0, createdBy: "ENV A=1", comment: "of a builder", sizeBytes: 0 },
    { createdMs: 0, createdBy: "RUN something", comment: "", sizeBytes: 20 },
  ]);
});

test("layers that no step speaks of are shown all the same, and steps without a layer take nothing", () => {
  assert.deepEqual(
    historySteps({}, [1, 2]).map(({ sizeBytes }) => sizeBytes),
    [1, 2],
  );
  assert.deepEqual(
    historySteps({ history: [{}, {}, {}] }, [1]).map(({ sizeBytes }) => sizeBytes),
    [1, 0, 0],
  );
});

test("no layer is lost or counted twice, whatever an image says of itself", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.array(fc.nat(), { maxLength: 5 }), (history, sizes) => {
      const steps = historySteps({ history }, sizes);
      const sum = (list: readonly number[]) => list.reduce((one, other) => one + other, 0);
      assert.equal(sum(steps.map(({ sizeBytes }) => sizeBytes)), sum(sizes));
    }),
  );
});
