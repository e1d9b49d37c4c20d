import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadModule, parseSync } from "libpg-query";

const folder = join(import.meta.dirname, "../../../examples/meal-planner/migrations");
const sqlIn = (path: string) => readdirSync(join(folder, path)).filter((name) => name.endsWith(".sql"));
const number = (name: string) => name.slice(0, 3);
const upTo = (last: number) => Array.from({ length: last }, (_, i) => String(i + 1).padStart(3, "0"));

describe("the example's migrations", () => {
  before(loadModule);

  it("of meal_planner are 001 to 023, with a reversal for all but 020", () => {
    assert.deepEqual(sqlIn("meal_planner").map(number), upTo(23));
    assert.deepEqual(
      sqlIn("meal_planner/rollback").map(number),
      upTo(23).filter((n) => n !== "020"),
    );
  });

  it("of mealie are 001 to 005, with a reversal for each", () => {
    assert.deepEqual(sqlIn("mealie").map(number), upTo(5));
    assert.deepEqual(sqlIn("mealie/rollback").map(number), upTo(5));
  });

  it("have the names the runbook gives them", () => {
    const named = [...sqlIn("meal_planner"), ...sqlIn("meal_planner/rollback")];
    for (const name of [
      "020_drop_recipes_simplified_table.sql",
      "021_revert_recipe_sources_audit_drop.sql",
      "022_revert_source_type_rename.sql",
      "023_add_recipe_json_to_auto_meal_plans.sql",
      "023_revert_recipe_json_column.sql",
    ])
      assert.ok(named.includes(name), name);
  });

  it("leave transactions to the tool, and hold something to do", () => {
    for (const path of ["meal_planner", "meal_planner/rollback", "mealie", "mealie/rollback"]) {
      for (const name of sqlIn(path)) {
        const { stmts = [] } = parseSync(readFileSync(join(folder, path, name), "utf8"));
        const kinds = stmts.flatMap(({ stmt }) => Object.keys(stmt ?? {}));
        assert.ok(kinds.length > 0, `${path}/${name} is empty`);
        assert.ok(!kinds.includes("TransactionStmt"), `${path}/${name} controls transactions`);
      }
    }
  });
});
