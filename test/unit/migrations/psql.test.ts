import assert from "node:assert/strict";
import { readMigrations } from "../../../operations/migrations/layouts/index.ts";
import { databaseAt, migrationsFolder } from "../../support/migrations.ts";

async function up(files: Record<string, string>): Promise<string> {
  const folder = await migrationsFolder(files);
  try {
    return (await readMigrations(databaseAt("app", folder.path, "meal-planner")))[0]?.up ?? "";
  } finally {
    await folder.remove();
  }
}

describe("psql's commands in migrations that psql runs", () => {
  it("includes files named from the folder and from the file, at any depth", async () => {
    const text = await up({
      "1_a.sql": "SELECT 0;\n\\i parts/one.sql\nSELECT 9;\n",
      "parts/one.sql": "SELECT 1;\n\\ir two.sql\n",
      "parts/two.sql": "SELECT 2;\n",
    });
    assert.equal(text.replaceAll(/\s+/g, " "), "SELECT 0; SELECT 1; SELECT 2; SELECT 9; ");
  });

  it("fills variables in as they are, as strings and as names, but not inside of strings, casts and comments", async () => {
    const text = await up({
      "1_a.sql": `\\set ON_ERROR_STOP on
\\set who 'O''Hara'
\\set count 4
\\set tbl My Table
SELECT :count, :'who', ':who', 1::count, $$ :who $$ -- :who
FROM :"tbl", :unknown;
`,
    });
    assert.equal(
      text.trim(),
      `SELECT 4, 'O''Hara', ':who', 1::count, $$ :who $$ -- :who\nFROM "MyTable", :unknown;`,
    );
  });

  it("passes over backslashes in strings, comments and function bodies, and over a lone quote behind a command", async () => {
    const kept = "SELECT E'\\\\i x', $$ \\i y $$; -- \\i z\n/* \\set a */\n";
    assert.equal(await up({ "1_a.sql": kept }), kept);
    assert.equal(await up({ "1_a.sql": "\\set note it's\nSELECT 1;" }), "\nSELECT 1;");
  });

  it("leaves any other command where it is, to be refused when it has to be run", async () => {
    const kept = "\\set a 1\nSELECT :a;\n\\gexec\n";
    assert.equal(await up({ "1_a.sql": kept }), kept);
  });

  it("refuses a file that is not there, and one that includes itself", async () => {
    await assert.rejects(up({ "1_a.sql": "\\i gone.sql\n" }), /MIGRATION_FILE.*gone\.sql/s);
    await assert.rejects(up({ "1_a.sql": "\\i 1_a.sql\n" }), /MIGRATION_FORMAT.*includes itself/s);
  });
});
