import { withClient } from "../../operations/database/connection.ts";
import { identifier } from "../../operations/database/query.ts";
import { changeSchema } from "../../operations/migrations/change.ts";
import { connector } from "../../operations/migrations/connect.ts";
import { migrationsFolder } from "../../test/support/migrations.ts";
import { databaseAt } from "../../test/support/migrations.ts";
import { startPostgres } from "../../test/support/postgres.ts";
import type { TestPostgres } from "../../test/support/postgres.ts";
import type { Report } from "../report.ts";
import { dbmateFiles, golangMigrateFiles, nodePgMigrateFiles, reversal } from "./chain.ts";
import type { Link } from "./chain.ts";

/** A chain as every tool wants it, and a database in which all of it is applied, to be copied for each measurement. */
export interface World {
  readonly postgres: TestPostgres;
  readonly links: readonly Link[];
  /** Folders of the same migrations in the layouts of the tools. */
  readonly folders: {
    readonly golangMigrate: string;
    readonly dbmate: string;
    readonly nodePgMigrate: string;
  };
  /** The whole reversal as one script. */
  readonly script: string;
  /** Lends a fresh copy of the database. */
  readonly copy: <T>(work: (database: string) => Promise<T>) => Promise<T>;
}

/** Starts a server for all measurements. */
export async function startServer(report: Report): Promise<TestPostgres> {
  const postgres = await startPostgres();
  report.defer(postgres.container, () => postgres.remove());
  return postgres;
}

/** Applies a chain with our engine, so that the ledger knows it. */
export async function makeWorld(
  report: Report,
  postgres: TestPostgres,
  links: readonly Link[],
): Promise<World> {
  const folderOf = async (files: Readonly<Record<string, string>>): Promise<string> => {
    const folder = await migrationsFolder(files);
    report.defer(folder.path, () => folder.remove());
    return folder.path;
  };
  const folders = {
    golangMigrate: await folderOf(golangMigrateFiles(links)),
    dbmate: await folderOf(dbmateFiles(links)),
    nodePgMigrate: await folderOf(nodePgMigrateFiles(links)),
  };
  const template = `chain_${String(links.length)}`;
  await asAdmin(postgres, `CREATE DATABASE ${identifier(template)}`);
  await withClient(postgres.server, template, (client) => client.query("CREATE SCHEMA rollback"));
  await changeSchema(
    {
      databases: [databaseAt(template, folders.golangMigrate)],
      wanted: new Map([[template, String(links.length)]]),
      release: "bench",
      owner: () => postgres.server.user,
    },
    connector(postgres.server),
  );
  let copies = 0;
  return {
    postgres,
    links,
    folders,
    script: reversal(links),
    async copy(work) {
      const name = `${template}_${String((copies += 1))}`;
      await asAdmin(postgres, `CREATE DATABASE ${identifier(name)} TEMPLATE ${identifier(template)}`);
      // What copying has left to be written would slow down whoever is measured next.
      await asAdmin(postgres, "CHECKPOINT");
      try {
        return await work(name);
      } finally {
        await asAdmin(postgres, `DROP DATABASE ${identifier(name)} WITH (FORCE)`);
      }
    },
  };
}

/** Where dbmate is told to keep its record: the name it would choose is taken by golang-migrate's. */
export const dbmateTable = "dbmate_migrations";

/** Writes down in a copy what dbmate and node-pg-migrate would have recorded; to ours that would be a change by hand. */
export async function recordForOthers({ postgres, links }: World, database: string): Promise<void> {
  await withClient(postgres.server, database, (client) => client.query(othersRecords(links.length)));
}

function othersRecords(length: number): string {
  const last = String(length);
  const padded = "lpad(n::text, 6, '0')";
  return `
    CREATE TABLE ${dbmateTable} (version varchar PRIMARY KEY);
    INSERT INTO ${dbmateTable} SELECT ${padded} FROM generate_series(1, ${last}) AS n;
    CREATE TABLE pgmigrations (id serial PRIMARY KEY, name varchar(255) NOT NULL, run_on timestamp NOT NULL);
    INSERT INTO pgmigrations (name, run_on) SELECT ${padded} || '_t' || n, now() FROM generate_series(1, ${last}) AS n`;
}

async function asAdmin(postgres: TestPostgres, sql: string): Promise<void> {
  await withClient(postgres.server, "postgres", (client) => client.query(sql));
}

/** Tables of the chain that are left in a database: 0 when its reversal did what it says. */
export async function tablesLeft(postgres: TestPostgres, database: string): Promise<number> {
  return withClient(postgres.server, database, async (client) => {
    const { rowCount } = await client.query("SELECT FROM pg_tables WHERE tablename ~ '^t[0-9]+$'");
    return rowCount ?? 0;
  });
}
