import { layouts } from "../../settings/types.ts";
import { shop } from "../support/migration-set.ts";
import { testDatabases } from "../support/migrations.ts";
import type { TestDatabases } from "../support/migrations.ts";
import { startPostgres } from "../support/postgres.ts";
import type { TestPostgres } from "../support/postgres.ts";
import { climb } from "../support/staircase.ts";

describe("a staircase with data in the tables, in every layout that has reversals", function () {
  this.timeout(300_000);
  let postgres: TestPostgres;
  let databases: TestDatabases;

  before(async () => {
    postgres = await startPostgres();
    databases = await testDatabases(postgres);
  });
  after(() => postgres.remove());

  for (const layout of layouts) {
    if (layout === "graphile-migrate" || layout === "atlas") continue;
    it(layout, () => climb(databases, layout, shop));
  }
});
