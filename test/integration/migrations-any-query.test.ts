import assert from "node:assert/strict";
import { controlOf, trialBench, type TrialBench, type TrialName } from "../support/fault-trials.ts";
import type { Fault } from "../support/faulty-connections.ts";
import { testDatabases } from "../support/migrations.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";

/** Some faults at every so many queries; all of them at each are in test/long. */
const some: Readonly<Record<TrialName, { readonly stride: number; readonly faults: readonly Fault[] }>> = {
  "one database": { stride: 19, faults: ["killed", "disk full", "network gone"] },
  "two databases": { stride: 29, faults: ["cut after", "killed"] },
  "steps outside of a transaction": { stride: 29, faults: ["killed", "timeout", "lock never granted"] },
};

describe("a schema change that meets a fault at some of its queries", function () {
  this.timeout(600_000);
  let postgres: TestPostgres;
  let bench: TrialBench | undefined;

  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.remove());

  it("is at a version or a recorded boundary afterwards, the ledger agrees, and a repeat finishes", async () => {
    const databases = await testDatabases(postgres);
    for (const [name, { stride, faults }] of Object.entries(some) as [
      TrialName,
      (typeof some)[TrialName],
    ][]) {
      bench = await trialBench(databases, name);
      let cases = 0;
      for (const [index, fault] of faults.entries()) {
        const direction = index % 2 === 0 ? "forward" : "reverse";
        for (let at = 16; await bench.run(direction, fault, at, controlOf(postgres)); at += stride)
          cases += 1;
      }
      assert.ok(cases > 2, `${name}: ${cases} cases`);
      await bench.remove();
    }
  });
});
