import assert from "node:assert/strict";
import type { Client } from "pg";
import { close } from "../../operations/database/connection.ts";
import { changeSchema } from "../../operations/migrations/change.ts";
import type { SchemaResult } from "../../operations/migrations/carry-out.ts";
import { currentVersions } from "../../operations/migrations/observe.ts";
import { observer } from "../../operations/migrations/observer.ts";
import { planSchemaChange } from "../../operations/migrations/schema-plan.ts";
import { migrationTests } from "../support/migration-tests.ts";
import { databaseAt } from "../support/migrations.ts";

interface Hindrance {
  readonly code: string;
  /** What PostgreSQL itself says when the transaction is to be prepared. */
  readonly says: RegExp;
  readonly sql: string;
  /** Run as superuser in both databases before. */
  readonly before?: string;
  /** What the refusal names. */
  readonly names?: RegExp;
}

const tell =
  "CREATE FUNCTION public.tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.inner_tell(); RETURN NULL; END $$; CREATE FUNCTION public.inner_tell() RETURNS void LANGUAGE sql AS $$ SELECT pg_notify('x', '') $$";

const hindrances: Readonly<Record<string, Hindrance>> = {
  NOTIFY: { code: "SCHEMA_PREPARE_NOTIFY", says: /NOTIFY/, sql: "NOTIFY x, 'y'", names: /line 1: NOTIFY/ },
  LISTEN: { code: "SCHEMA_PREPARE_NOTIFY", says: /LISTEN/, sql: "LISTEN x" },
  "a call of pg_notify": { code: "SCHEMA_PREPARE_NOTIFY", says: /NOTIFY/, sql: "SELECT pg_notify('x', 'y')" },
  "a DO block that notifies": {
    code: "SCHEMA_PREPARE_NOTIFY",
    says: /NOTIFY/,
    sql: "DO $$ BEGIN NOTIFY x; END $$",
  },
  "a trigger whose function calls one that notifies": {
    code: "SCHEMA_PREPARE_NOTIFY",
    says: /NOTIFY/,
    before: `${tell}; CREATE TABLE public.m (id int); GRANT ALL ON public.m TO PUBLIC; CREATE TRIGGER telling AFTER INSERT ON public.m FOR EACH ROW EXECUTE FUNCTION public.tell()`,
    sql: "INSERT INTO m VALUES (1)",
    names: /the trigger telling of (public\.)?m runs NOTIFY/,
  },
  "an event trigger that notifies of every change": {
    code: "SCHEMA_PREPARE_NOTIFY",
    says: /NOTIFY/,
    before:
      "CREATE FUNCTION public.reload() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NOTIFY pgrst, 'reload schema'; END $$; CREATE EVENT TRIGGER watching ON ddl_command_end EXECUTE FUNCTION public.reload()",
    sql: "CREATE TABLE n (id int)",
    names: /the event trigger watching runs NOTIFY/,
  },
  "a temporary table": {
    code: "SCHEMA_PREPARE_TEMPORARY",
    says: /temporary objects/,
    sql: "CREATE TEMP TABLE t (id int) ON COMMIT DROP",
  },
  "a cursor WITH HOLD": {
    code: "SCHEMA_PREPARE_CURSOR",
    says: /cursor WITH HOLD/,
    sql: "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
  },
  "an exported snapshot": {
    code: "SCHEMA_PREPARE_SNAPSHOT",
    says: /snapshots/,
    sql: "SELECT pg_export_snapshot()",
  },
  "an advisory lock of both kinds": {
    code: "SCHEMA_PREPARE_LOCK",
    says: /session-level and transaction-level locks/,
    sql: "SELECT pg_advisory_lock(7); SELECT pg_advisory_xact_lock(7)",
  },
};

describe("two databases that change together", function () {
  this.timeout(120_000);
  const tests = migrationTests({ databases: ["app", "other"] });

  const request = (names: readonly string[]) => ({
    databases: names.map((name) => databaseAt(name, tests.folder.path)),
    wanted: new Map(names.map((name) => [name, "1"])),
    release: "1.0",
  });
  const both = (): Promise<SchemaResult> => changeSchema(request(["app", "other"]), tests.databases.open);
  const plan = () =>
    planSchemaChange({ ...request(["app", "other"]), observe: observer(tests.databases.open) });
  async function heads(): Promise<(string | undefined)[]> {
    const of = ["app", "other"].map((name) => databaseAt(name, tests.folder.path));
    const seen = await currentVersions(tests.databases.open, of);
    return of.map(({ name }) => seen.get(name)?.head);
  }

  for (const [what, { code, says, sql, before, names }] of Object.entries(hindrances)) {
    it(`are refused for ${what} in both, with a code of its own, and PostgreSQL would refuse it too`, async () => {
      if (before !== undefined) for (const name of ["app", "other"]) await tests.databases.sql(name, before);
      await tests.folder.write({ "001_m.sql": `${sql};` });
      await assert.rejects(tests.databases.sql("app", `BEGIN; ${sql}; PREPARE TRANSACTION 'x'`), says);
      for (const attempt of [plan, both]) {
        await assert.rejects(attempt(), (error: Error) => {
          assert.match(error.message, new RegExp(`^refused ${code}: .*Nothing was stopped`, "s"));
          if (names !== undefined) assert.match(error.message, names);
          return true;
        });
      }
      assert.deepEqual(await heads(), [undefined, undefined]);
    });
  }

  it("may do it in one of them, which then commits last", async () => {
    await tests.databases.sql(
      "other",
      hindrances["a trigger whose function calls one that notifies"]?.before ?? "",
    );
    await tests.databases.sql("app", "CREATE TABLE public.m (id int); GRANT ALL ON public.m TO PUBLIC");
    await tests.folder.write({ "001_m.sql": "INSERT INTO m VALUES (1);" });
    assert.equal((await both()).steps, 2);
    assert.deepEqual(await heads(), ["1", "1"]);
  });

  it("are rolled back with the same code where nothing told beforehand", async () => {
    for (const name of ["app", "other"])
      await tests.databases.sql(
        name,
        "CREATE FUNCTION public.f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'NOT' || 'IFY x'; END $$",
      );
    await tests.folder.write({ "001_m.sql": "SELECT public.f();" });
    await assert.rejects(
      both(),
      /SCHEMA_PREPARE_NOTIFY: the transaction of app cannot be prepared.*rolled back/s,
    );
    assert.deepEqual(await heads(), [undefined, undefined]);
  });

  it("need room for the prepared transaction, which others may have taken", async () => {
    await tests.folder.write({ "001_m.sql": "SELECT 1;" });
    const admin = await tests.databases.admin("postgres");
    try {
      const most = await limitOf(admin);
      for (let number = 0; number < most; number += 1) await prepare(admin, number);
      await assert.rejects(plan(), new RegExp(`SCHEMA_TWO_PHASE_FULL: .*${most} of the ${most}`));
      assert.deepEqual(await heads(), [undefined, undefined]);
      await admin.query("ROLLBACK PREPARED 'test 0'");
      await both();
      for (let number = 1; number < most; number += 1)
        await admin.query(`ROLLBACK PREPARED 'test ${number}'`);
    } finally {
      await close(admin);
    }
  });

  it("need max_prepared_transactions to be more than nothing", async () => {
    await tests.folder.write({ "001_m.sql": "SELECT 1;" });
    await tests.databases.sql("postgres", "ALTER SYSTEM SET max_prepared_transactions = 0");
    await tests.postgres.restart();
    await assert.rejects(plan(), /SCHEMA_TWO_PHASE_OFF: .*the server has 0/);
    assert.deepEqual(await heads(), [undefined, undefined]);
  });
});

async function limitOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ n: number }>(
    "SELECT current_setting('max_prepared_transactions')::int AS n",
  );
  return rows[0]?.n ?? 0;
}

async function prepare(client: Client, number: number): Promise<void> {
  await client.query(`BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'test ${number}'`);
}
