import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { startLoad, type Load } from "../../support/load.ts";
import { at, killedAt, type Instant } from "../../support/kill-trials.ts";
import { startNativeStack, type NativeStack } from "../../support/native-stack.ts";
import { askStack, schemaVersions } from "../../support/stack-checks.ts";
import { changedResources, stepOf } from "../../support/stack-events.ts";

type Release = "1.2.0" | "1.2.1";
const schemaOf = { "1.2.0": "20", "1.2.1": "23" } as const;

describe("an engine that is killed while units change places", function () {
  this.timeout(300_000);
  let native: NativeStack;
  let load: Load;
  let live: Release = "1.2.0";
  const cleaning: (() => Promise<void>)[] = [];
  const other = (): Release => (live === "1.2.0" ? "1.2.1" : "1.2.0");

  before(async function () {
    const started = await startNativeStack();
    if (typeof started === "string") {
      console.log(`    ${started}`);
      return this.skip();
    }
    native = started;
    cleaning.push(() => native.remove());
    await native.configure(live, ["1.2.0", "1.2.1"]);
    await native.stack.up();
    load = await startLoad({ url: native.stack.url, connections: 3, thinkTime: 50 });
    cleaning.push(async () => {
      await load.stop();
    });
  });
  after(async () => {
    for (const clean of cleaning.reverse()) await clean();
  });

  /** Once something is so on the machine with the units. */
  const once =
    (holds: () => Promise<boolean>): Instant =>
    async (running) => {
      const over = running.ended.then(
        () => true,
        () => true,
      );
      while (!(await holds())) {
        if (await Promise.race([over, sleep(20, false)])) return;
      }
    };
  const instants: readonly (readonly [string, Instant])[] = [
    [
      "when the unit that comes is being started",
      once(async () => (await native.show(other(), "MainPID")) !== "0"),
    ],
    ["at the switch of the traffic", at(stepOf("traffic"))],
    ["when `current` has changed", once(async () => (await native.current()) === other())],
    [
      "when the unit that leaves is being stopped",
      once(async () => (await native.show(live, "MainPID")) === "0"),
    ],
  ];

  for (const [n, [when, instant]] of instants.entries()) {
    const finishes = n % 2 === 0;
    it(`${when}: the next up ${finishes ? "finishes" : "goes back"}`, async () => {
      const target = other();
      await native.configure(target, ["1.2.0", "1.2.1"]);
      await killedAt(native.stack, instant);
      if (finishes) live = target;
      await native.configure(live, ["1.2.0", "1.2.1"]);
      await native.stack.up();
      assert.equal((await askStack(native.stack, "/api/logs")).release, live);
      assert.equal((await schemaVersions(native.stack))["meal_planner"], schemaOf[live]);
      assert.equal(await native.current(), live);
      for (const [release, state] of [
        [live, ["active", "enabled"]],
        [other(), ["inactive", "disabled"]],
      ] as const)
        assert.deepEqual(
          [await native.show(release, "ActiveState"), await native.show(release, "UnitFileState")],
          state,
          release,
        );
    });
  }

  it("leaves nothing to do behind, and clients saw answers or 503", async () => {
    assert.deepEqual(changedResources((await native.stack.up()).events), {});
    const { report } = await load.stop();
    assert.deepEqual(
      report.failures.filter(({ why }) => why !== "503"),
      [],
    );
    assert.ok(report.acknowledged.length > 100);
  });
});
