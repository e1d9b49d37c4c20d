import assert from "node:assert/strict";
import { controlOf, trialBench, trials, type TrialBench, type TrialName } from "../support/fault-trials.ts";
import { faults } from "../support/faulty-connections.ts";
import { testDatabases, type TestDatabases } from "../support/migrations.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";

describe("a schema change that meets a fault at any of its queries", function () {
  this.timeout(3_600_000);
  let postgres: TestPostgres;
  let databases: TestDatabases;
  let cases = 0;

  before(async () => {
    postgres = await startPostgres();
    databases = await testDatabases(postgres);
    // What a killed server has written survives in the system's memory; to wait for the disk is most of dropping a database.
    await databases.sql("postgres", "ALTER SYSTEM SET fsync = off");
    await databases.sql("postgres", "SELECT pg_reload_conf()");
  });
  after(async () => {
    await postgres.remove();
    console.log(`      ${cases} cases`);
  });

  for (const name of Object.keys(trials) as TrialName[]) {
    describe(name, () => {
      let bench: TrialBench;
      before(async () => {
        bench = await trialBench(databases, name);
      });
      after(() => bench.remove());

      for (const direction of ["forward", "reverse"] as const) {
        for (const fault of faults) {
          it(`${direction}: ${fault}`, async () => {
            let at = 1;
            while (await bench.run(direction, fault, at, controlOf(postgres))) at += 1;
            assert.ok(at > 20, `only ${at} queries`);
            cases += at - 1;
          });
        }
      }
    });
  }
});
