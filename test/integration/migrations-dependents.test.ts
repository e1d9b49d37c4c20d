import assert from "node:assert/strict";
import { changeSchema } from "../../operations/migrations/change.ts";
import { observer } from "../../operations/migrations/observer.ts";
import { planSchemaChange } from "../../operations/migrations/schema-plan.ts";
import type { SchemaPlan } from "../../operations/migrations/schema-plan.ts";
import { isRefusal } from "../../settings/refusal.ts";
import { migrationTests } from "../support/migration-tests.ts";
import { databaseAt } from "../support/migrations.ts";

const files = {
  "001_base.sql": "CREATE TABLE people (id int PRIMARY KEY, kind text); CREATE SCHEMA side;",
  "002_meals.sql": `CREATE TYPE mood AS ENUM ('good');
    CREATE TABLE meals (id int PRIMARY KEY, calories int, code text CONSTRAINT by_code UNIQUE);
    CREATE TABLE logs (meal int);
    CREATE FUNCTION weight(a int, b text[] DEFAULT '{}') RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a';
    CREATE FUNCTION weight(a text) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
    CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE AGGREGATE most(int) (SFUNC = int4larger, STYPE = int);
    CREATE DOMAIN amount AS int CHECK (VALUE > 0);`,
  "rollback/002_x.sql": "DROP TABLE logs; DROP TABLE meals; DROP TYPE mood;",
};

interface Case {
  /** Run by hand, as the owner, after all migrations. */
  readonly made: string;
  /** The reversal of 002; default: that of the files. */
  readonly down?: string;
  /** What the refusal names; undefined: nothing is in the way. */
  readonly names?: RegExp;
}

const withoutCalories = "ALTER TABLE meals DROP COLUMN calories;";
const cases: Readonly<Record<string, Case>> = {
  "a view of a column": {
    made: "CREATE VIEW light AS SELECT id FROM meals WHERE calories < 100",
    down: withoutCalories,
    names:
      /drops column calories of meals.* depends on that: view public\.light\.[^]*DROP VIEW public\.light;/,
  },
  "a view of a view's table, and a materialized view": {
    made: `CREATE VIEW "Odd name" AS SELECT * FROM meals; CREATE MATERIALIZED VIEW m AS SELECT id FROM meals`,
    names: /materialized view public\.m, view public\."Odd name"\./,
  },
  "a foreign key of another table": {
    made: "CREATE TABLE side.notes (meal int CONSTRAINT of_meal REFERENCES public.meals)",
    names: /table constraint of_meal on side\.notes[^]*ALTER TABLE side\.notes DROP CONSTRAINT of_meal;/,
  },
  "a foreign key on a unique constraint": {
    made: "CREATE TABLE notes (code text CONSTRAINT of_code REFERENCES meals (code))",
    down: "ALTER TABLE meals DROP CONSTRAINT by_code;",
    names: /drops constraint by_code of meals.*of_code on public\.notes/,
  },
  "a function with a body that the catalogue knows": {
    made: "CREATE FUNCTION heavy() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM meals WHERE calories > 900; END",
    down: withoutCalories,
    names: /function public\.heavy\(\)/,
  },
  "a policy of another table": {
    made: "CREATE POLICY eaters ON people USING (EXISTS (SELECT FROM meals m WHERE m.id = people.id))",
    names: /policy eaters on public\.people[^]*DROP POLICY eaters on public\.people;/,
  },
  "a policy of the same table": {
    made: "CREATE POLICY light ON meals USING (calories < 100)",
    down: withoutCalories,
    names: /policy light on public\.meals/,
  },
  "a trigger on a column": {
    made: `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
      CREATE TRIGGER heavy BEFORE UPDATE ON meals FOR EACH ROW WHEN (NEW.calories > 900) EXECUTE FUNCTION f()`,
    down: withoutCalories,
    names: /trigger heavy on public\.meals/,
  },
  "a generated column": {
    made: "ALTER TABLE meals ADD twice int GENERATED ALWAYS AS (calories * 2) STORED",
    down: withoutCalories,
    names: /table column public\.meals\.twice/,
  },
  "a column of a type": {
    made: "ALTER TABLE people ADD feels mood",
    names: /drops type mood.*table column public\.people\.feels/,
  },
  "a column of a domain": {
    made: "ALTER TABLE people ADD eats amount",
    down: "DROP DOMAIN amount;",
    names: /drops type amount.*table column public\.people\.eats/,
  },
  "a trigger of another table that calls the function": {
    made: "CREATE TRIGGER marked BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION stamp()",
    down: "DROP FUNCTION stamp();",
    names:
      /drops function stamp\(\).*trigger marked on public\.people[^]*DROP TRIGGER marked on public\.people;/,
  },
  "an index, a default and a CHECK over a function": {
    made: `ALTER TABLE people ALTER id SET DEFAULT weight(7), ADD CONSTRAINT light CHECK (weight(id, '{x}') < 9);
      CREATE INDEX heavy ON people (weight(id))`,
    down: "DROP FUNCTION weight(integer, text[]);",
    names:
      /drops function weight\(int4, text\[\]\).*default value for public\.people\.id, index public\.heavy, table constraint light on public\.people/,
  },
  "a view that calls an aggregate": {
    made: "CREATE VIEW heavy AS SELECT public.most(id) FROM people",
    down: "DROP AGGREGATE public.most(int);",
    names: /drops aggregate public\.most\(int4\).*view public\.heavy/,
  },
  "a function that calls another one": {
    made: "CREATE FUNCTION side.twice(a text) RETURNS int LANGUAGE sql RETURN public.weight(a) * 2",
    down: "DROP ROUTINE IF EXISTS weight(text);",
    names: /drops function weight\(text\).*function side\.twice\(pg_catalog\.text\)/,
  },
  "a trigger whose function is dropped without a list of arguments": {
    made: "CREATE TRIGGER marked BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION stamp()",
    down: "DROP FUNCTION stamp;",
    names: /drops function stamp, .*trigger marked/,
  },
  "a view of another function of the same name": {
    made: "CREATE VIEW heavy AS SELECT weight(kind) AS w FROM people",
    down: "DROP FUNCTION weight(int, text[]);",
  },
  "a trigger that goes with its table, dropped before": {
    made: "CREATE TRIGGER marked BEFORE INSERT ON meals FOR EACH ROW EXECUTE FUNCTION stamp()",
    down: "DROP TABLE meals; DROP FUNCTION stamp();",
  },
  "a column of a type that an extension brings": {
    made: `RESET ROLE; DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO app_owner', current_database()); END $$;
      SET ROLE app_owner; CREATE EXTENSION citext; ALTER TABLE people ADD nick citext`,
    down: "DROP EXTENSION citext;",
    names: /drops extension citext.*table column public\.people\.nick/,
  },
  "a function that is not there": {
    made: "CREATE VIEW heavy AS SELECT weight(kind) AS w FROM people",
    down: "DROP FUNCTION IF EXISTS weight(nobody.knows); DROP FUNCTION IF EXISTS no_such; DROP TABLE logs;",
  },
  "a table that inherits": {
    made: "CREATE TABLE dinners () INHERITS (meals)",
    names: /drops meals.*table public\.dinners/,
  },
  "an index of the column, which goes with it": {
    made: "CREATE INDEX extra ON meals (calories)",
    down: withoutCalories,
  },
  "a view that the reversal drops first": {
    made: "CREATE VIEW light AS SELECT calories FROM meals",
    down: `DROP VIEW "light"; ${withoutCalories}`,
  },
  "a foreign key that goes with its table, dropped before": {
    made: "ALTER TABLE logs ADD FOREIGN KEY (meal) REFERENCES meals; ALTER TABLE logs ADD feels mood",
  },
  "tables that refer to each other, dropped in one statement": {
    made: "ALTER TABLE logs ADD FOREIGN KEY (meal) REFERENCES meals",
    down: "DROP TABLE meals, logs;",
  },
  "a view that CASCADE takes": {
    made: "CREATE VIEW light AS SELECT calories FROM meals",
    down: "DROP TABLE logs; DROP TABLE meals CASCADE;",
  },
  "a view that a block drops": {
    made: "CREATE VIEW light AS SELECT calories FROM meals",
    down: `DO $$ BEGIN EXECUTE 'DROP VIEW li' || 'ght'; END $$; ${withoutCalories}`,
  },
};

describe("what depends on what a reversal drops", function () {
  this.timeout(120_000);
  const tests = migrationTests({ files });

  const request = (version: string) => ({
    databases: [databaseAt("app", tests.folder.path)],
    wanted: new Map([["app", version]]),
    release: "1.0",
    onDrift: "note" as const,
  });
  const plan = (): Promise<SchemaPlan> =>
    planSchemaChange({ ...request("1"), judge: true, observe: observer(tests.databases.open) });

  for (const [name, { made, down, names }] of Object.entries(cases)) {
    it(`${name} is ${names === undefined ? "no reason to refuse" : "told before anything stops, and PostgreSQL would refuse it too"}`, async () => {
      if (down !== undefined) await tests.folder.write({ "rollback/002_x.sql": down });
      await changeSchema(request("2"), tests.databases.open);
      await tests.databases.sql("app", `SET ROLE app_owner; ${made}`);
      const run = () => changeSchema(request("1"), tests.databases.open, { onDifference: "warn" });
      if (names === undefined) {
        await plan();
        assert.equal((await run()).steps, 1);
        return;
      }
      await assert.rejects(
        plan(),
        (error) => isRefusal(error, "SCHEMA_DEPENDENTS") && names.test(error.message),
      );
      await assert.rejects(run(), /SCHEMA_STEP_FAILED.*2BP01/s);
    });
  }
});

describe("what a reversal does not bring back", function () {
  this.timeout(120_000);
  const tests = migrationTests({
    files: {
      "001_base.sql": `CREATE TABLE meals (id int PRIMARY KEY, name varchar(20), calories int CHECK (calories > 0));
        CREATE INDEX by_name ON meals (name); CREATE VIEW light AS SELECT id FROM meals; CREATE TABLE plates (id serial PRIMARY KEY);`,
      "002_more.sql": "CREATE VIEW heavy AS SELECT id FROM meals;",
      "rollback/002_x.sql": "DROP VIEW IF EXISTS heavy;",
    },
  });

  async function notes(up: string, down: string, to = "2"): Promise<string[]> {
    await tests.folder.write({ "003_change.sql": up, "rollback/003_x.sql": down });
    const request = (version: string) => ({
      databases: [databaseAt("app", tests.folder.path)],
      wanted: new Map([["app", version]]),
      release: "1.0",
    });
    await changeSchema(request("3"), tests.databases.open);
    const observe = observer(tests.databases.open);
    const { databases } = await planSchemaChange({ ...request(to), judge: true, observe });
    const told = databases
      .flatMap((plan) => plan.notes)
      .filter(({ code }) => code === "SCHEMA_NOT_BROUGHT_BACK");
    // The run finds the same out, too late for somebody who waits.
    const run = changeSchema(request(to), tests.databases.open);
    if (told.length > 0) await assert.rejects(run, (error) => isRefusal(error, "SCHEMA_NOT_RESTORED"));
    else await run;
    return told.map(({ text }) => text);
  }

  it("is told from the catalogue that was recorded when the migration was applied", async () => {
    assert.deepEqual(
      await notes(
        "DROP INDEX by_name; DROP VIEW light; ALTER TABLE meals ALTER name TYPE text, ADD extra int; DROP TABLE plates;",
        "ALTER TABLE meals DROP COLUMN extra;",
      ),
      [
        "app 3 (down): it does not bring back index public.by_name, table public.plates, view public.light, column public.meals.name as it was. By its text the run will end in SCHEMA_NOT_RESTORED.",
      ],
    );
  });

  it("is nothing where the reversal names it, makes it without a name, or makes its table anew", async () => {
    const down = `CREATE TABLE plates (id serial PRIMARY KEY); CREATE VIEW light AS SELECT id FROM meals;
      ALTER TABLE meals ADD CHECK (calories > 0); CREATE INDEX by_name ON meals (name); ALTER TABLE meals ALTER "name" TYPE varchar(20)`;
    const up = `DROP INDEX by_name; DROP TABLE plates; DROP VIEW light; ALTER TABLE meals DROP CONSTRAINT meals_calories_check;
      ALTER TABLE meals ALTER name TYPE text`;
    assert.deepEqual(await notes(up, down), []);
  });

  it("is nothing where an older migration of the chain had made it", async () => {
    assert.deepEqual(await notes("DROP VIEW heavy;", "COMMENT ON TABLE meals IS NULL;", "1"), []);
  });
});
