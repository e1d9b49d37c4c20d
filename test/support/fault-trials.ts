import assert from "node:assert/strict";
import type { Client } from "pg";
import { close, waitUntilReady } from "../../operations/database/connection.ts";
import { docker } from "../../operations/docker/run.ts";
import { changeSchema } from "../../operations/migrations/change.ts";
import type { CarryOutOptions, SchemaResult } from "../../operations/migrations/carry-out.ts";
import type { Connect } from "../../operations/migrations/connect.ts";
import { databaseAt, migrationsFolder, type TestDatabases, type TestFolder } from "./migrations.ts";
import { faultyConnections, type Fault } from "./faulty-connections.ts";
import type { TestPostgres } from "./postgres.ts";

/** Versions 1 to 4 in the layout of the Meal Planner; version n has the tables t1 to tn. Data come with 1 and change with 3. */
const plain = {
  "001_one.sql":
    "CREATE TYPE kind AS ENUM ('main'); CREATE TABLE t1 (id int PRIMARY KEY, a text, b int, k kind); INSERT INTO t1 SELECT g, 'row ' || g, g FROM generate_series(1, 100) g;",
  "rollback/001_x.sql": "DROP TABLE t1; DROP TYPE kind;",
  "002_two.sql": "CREATE TABLE t2 (id int PRIMARY KEY);\nALTER TABLE t1 ADD COLUMN c text DEFAULT 'c';",
  "rollback/002_x.sql": "ALTER TABLE t1 DROP COLUMN c;\nDROP TABLE t2;",
  "003_three.sql":
    "CREATE TABLE t3 (id int PRIMARY KEY);\nUPDATE t1 SET b = b + 1;\nINSERT INTO t3 SELECT g FROM generate_series(1, 50) g;\nCREATE INDEX t1_a ON t1 (a);",
  "rollback/003_x.sql": "DROP INDEX t1_a;\nUPDATE t1 SET b = b - 1;\nDROP TABLE t3;",
  "004_four.sql": "CREATE TABLE t4 (id int PRIMARY KEY REFERENCES t1);",
  "rollback/004_x.sql": "DROP TABLE t4;",
};

/** The same versions with steps that commit statement by statement. */
const outside = {
  ...plain,
  "002_two.sql":
    "ALTER TABLE t1 ADD COLUMN c text DEFAULT 'c';\nVACUUM t1;\nCREATE INDEX CONCURRENTLY t1_c ON t1 (c);\nCREATE TABLE t2 (id int PRIMARY KEY);",
  "rollback/002_x.sql":
    "DROP TABLE t2;\nDROP INDEX CONCURRENTLY t1_c;\nVACUUM t1;\nALTER TABLE t1 DROP COLUMN c;",
  "004_four.sql":
    "ALTER TYPE kind ADD VALUE IF NOT EXISTS 'side';\nUPDATE t1 SET k = 'side' WHERE id = 1;\nCREATE TABLE t4 (id int PRIMARY KEY REFERENCES t1);",
  "rollback/004_x.sql": "DROP TABLE t4;\nUPDATE t1 SET k = NULL WHERE id = 1;",
};

export const trials = {
  "one database": { files: plain, databases: ["one"] },
  "two databases": { files: plain, databases: ["one", "two"] },
  "steps outside of a transaction": { files: outside, databases: ["one"] },
} as const;
export type TrialName = keyof typeof trials;

/** Databases at versions 1 and 4 that can be copied for each case. */
export interface TrialBench {
  readonly folder: TestFolder;
  /** Brings a fault upon a change and checks what is left; false: the change had fewer queries than `at`. */
  run(direction: "forward" | "reverse", fault: Fault, at: number, server: ServerControl): Promise<boolean>;
  remove(): Promise<void>;
}

/** How a test takes its server away and gives it back. */
export interface ServerControl {
  readonly kill: () => Promise<void>;
  readonly start: () => Promise<void>;
  readonly disconnect: () => Promise<void>;
  readonly connect: () => Promise<void>;
}

/** Of a server in a container on Docker's default network. */
export function controlOf({ container, server }: TestPostgres): ServerControl {
  const run = async (...args: string[]): Promise<void> => {
    await docker(args);
  };
  const answers = () => waitUntilReady(server, 60_000, () => undefined);
  return {
    kill: () => run("kill", "-s", "KILL", container),
    start: () => run("start", container).then(answers),
    disconnect: () => run("network", "disconnect", "bridge", container),
    connect: () => run("network", "connect", "bridge", container).then(answers),
  };
}

/** Makes the templates. */
export async function trialBench(databases: TestDatabases, name: TrialName): Promise<TrialBench> {
  const { files, databases: names } = trials[name];
  const folder = await migrationsFolder(files);
  const bring = (version: string, open: Connect, options: CarryOutOptions = {}): Promise<SchemaResult> =>
    changeSchema(
      {
        databases: names.map((each) => databaseAt(each, folder.path)),
        wanted: new Map(names.map((each) => [each, version])),
        release: "1.0",
        // No index in its plain form.
        budgetMs: 0,
      },
      open,
      options,
    );
  const inPostgres = (sql: string) => databases.sql("postgres", sql);
  for (const each of names) await databases.create(each);
  for (const version of ["1", "4"]) {
    await bring(version, databases.open);
    for (const each of names) await inPostgres(`CREATE DATABASE "${each} at ${version}" TEMPLATE "${each}"`);
  }
  const put = async (version: string): Promise<void> => {
    await Promise.all(
      names.map(async (each) => {
        await inPostgres(`DROP DATABASE "${each}" WITH (FORCE)`);
        await inPostgres(`CREATE DATABASE "${each}" TEMPLATE "${each} at ${version}" OWNER "${each}_owner"`);
      }),
    );
  };
  return {
    folder,
    async run(direction, fault, at, server) {
      const [from, to] = direction === "forward" ? ["1", "4"] : ["4", "1"];
      await put(from);
      // A crash takes the sequences of a copied database back to where they were in its template, unless a checkpoint came between.
      if (fault === "server killed") await inPostgres("CHECKPOINT");
      const { happens, over } = troubleOf(fault, server, () => databases.admin(names[0]));
      const faulty = faultyConnections(databases.open, { fault, at, happens });
      let failure: unknown;
      const result = await bring(to, faulty.open, { lockTimeoutMs: 50, budgetMs: 500 }).catch(
        (error: unknown) => {
          failure = error ?? new Error("nothing was thrown");
          return undefined;
        },
      );
      if (faulty.sent() < at) {
        assert.ifError(failure);
        return false;
      }
      await over();
      const left = await Promise.all(names.map((each) => standing(databases, each)));
      const context = `${direction}, ${fault} at query ${String(at)}: ${String(failure)}`;
      for (const each of left) {
        assert.ok(
          each.whole || each.boundary,
          `${context}: neither at a version nor at a boundary ${JSON.stringify(each)}`,
        );
        if (!each.boundary && each.prepared === 0)
          assert.ok(["1", "2", "3", "4"].includes(each.version), `${context}: ${each.version}`);
      }
      if (names.length > 1) {
        const versions = new Set(left.filter(({ prepared }) => prepared === 0).map(({ version }) => version));
        assert.equal(versions.size, 1, `${context}: ${JSON.stringify(left)}`);
        for (const version of versions) assert.ok(version === from || version === to, context);
      }
      if (result !== undefined && failure === undefined)
        for (const each of left)
          assert.equal(each.prepared > 0 ? to : each.version, to, `${context}: told as done`);
      await bring(to, databases.open);
      for (const each of names) {
        const now = await standing(databases, each);
        const done = { version: to, whole: true, boundary: false, prepared: 0, invalid: 0, broken: 0 };
        assert.deepEqual(now, done, context);
      }
      return true;
    },
    async remove() {
      await folder.remove();
      for (const each of names) {
        await inPostgres(`DROP DATABASE IF EXISTS "${each}" WITH (FORCE)`);
        for (const version of ["1", "4"]) await inPostgres(`DROP DATABASE IF EXISTS "${each} at ${version}"`);
      }
    },
  };
}

/** What happens from outside before a query, and how it ends. */
function troubleOf(
  fault: Fault,
  server: ServerControl,
  admin: () => Promise<Client>,
): { happens: () => Promise<void>; over: () => Promise<void> } {
  const nothing = () => Promise.resolve();
  if (fault === "server killed") return { happens: server.kill, over: server.start };
  if (fault === "network gone") return { happens: server.disconnect, over: server.connect };
  if (fault !== "lock never granted") return { happens: nothing, over: nothing };
  let reader: Client | undefined;
  return {
    async happens() {
      reader = await admin();
      await reader.query("BEGIN; SET LOCAL lock_timeout = 100");
      // Where the run has the table already there is nothing left that it would be denied.
      await reader.query("LOCK TABLE t1 IN ACCESS SHARE MODE").catch(() => undefined);
    },
    over: async () => (reader === undefined ? undefined : close(reader)),
  };
}

interface Standing {
  /** By the tool's own table. */
  readonly version: string;
  /** Ledger, tables, columns, rows and archives are those of that version. */
  readonly whole: boolean;
  readonly boundary: boolean;
  readonly prepared: number;
  readonly invalid: number;
  /** Events whose hash is not that of their content and of the event before. */
  readonly broken: number;
}

async function standing(databases: TestDatabases, name: string): Promise<Standing> {
  const client = await databases.admin(name);
  try {
    const waiting = await client.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM pg_prepared_xacts WHERE database = current_database()",
    );
    const prepared = waiting.rows[0]?.n ?? 0;
    // Its locks keep everybody out, and what it leads to is decided elsewhere: the repeat has to find out.
    if (prepared > 0)
      return { version: "undecided", whole: true, boundary: false, prepared, invalid: 0, broken: 0 };
    const { rows } = await client.query<Omit<Standing, "whole" | "prepared"> & Record<string, unknown>>(
      `SELECT (SELECT max(version)::text FROM schema_migrations) AS version,
         (SELECT max(version)::text FROM rollback.migration WHERE state = 'applied') AS ledger,
         (SELECT count(*)::text FROM rollback.migration WHERE state = 'applied') AS applied,
         (SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public' AND tablename ~ '^t[1-4]$') AS tables,
         (SELECT sum(b)::int - 5050 FROM t1) AS moved,
         EXISTS (SELECT FROM pg_attribute WHERE attrelid = 't1'::regclass AND attname = 'c' AND NOT attisdropped) AS added,
         coalesce((SELECT details ->> 'state' <> 'closed' FROM rollback.event WHERE kind = 'boundary' ORDER BY id DESC LIMIT 1), false) AS boundary,
         (SELECT count(*)::int FROM pg_index WHERE NOT indisvalid) AS invalid,
         (SELECT count(*)::int FROM (SELECT e.hash <> rollback.event_hash(e) OR e.previous <> coalesce(lag(e.hash) OVER (ORDER BY id), '') AS bad
            FROM rollback.event e) AS chain WHERE bad) AS broken`,
    );
    const [row] = rows;
    assert.ok(row !== undefined);
    const { version, boundary, invalid, broken } = row;
    const whole =
      row["ledger"] === version &&
      row["applied"] === version &&
      row["tables"] === version &&
      row["moved"] === (Number(version) >= 3 ? 100 : 0) &&
      row["added"] === Number(version) >= 2;
    return { version, whole, boundary, prepared, invalid, broken };
  } finally {
    await close(client);
  }
}
