import assert from "node:assert/strict";
import { test } from "node:test";
import { Slots } from "../../../src/image/slots.ts";

test("no more tasks work at once than there are places, and all of them get their turn", async () => {
  const slots = new Slots(2);
  let [working, most, done] = [0, 0, 0];
  const task = async (): Promise<void> => {
    using _place = await slots.take();
    working++;
    most = Math.max(most, working);
    await undefined;
    working--;
    done++;
  };
  await Promise.all(Array.from({ length: 9 }, task));
  assert.deepEqual([most, done], [2, 9]);
});

test("a place that is given back twice is one place", () => {
  const slots = new Slots(1);
  const place = slots.tryTake();
  place?.[Symbol.dispose]();
  place?.[Symbol.dispose]();
  assert.notEqual(slots.tryTake(), undefined);
  assert.equal(slots.tryTake(), undefined);
});
