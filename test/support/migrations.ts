import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import pg from "pg";
import type { Client } from "pg";
import { z } from "zod";
import type { ConnectionOptions, Server } from "../../operations/database/connection.ts";
import { close, connect, withClient } from "../../operations/database/connection.ts";
import { connector } from "../../operations/migrations/connect.ts";
import type { Connect } from "../../operations/migrations/connect.ts";
import type { Database, Layout } from "../../settings/types.ts";
import type { TestPostgres } from "./postgres.ts";

const operator = "rollback_operator";
const operatorPassword = "operator of the tests";

/** A folder of migrations that a test may write to. */
export interface TestFolder {
  readonly path: string;
  write(files: Readonly<Record<string, string | Uint8Array | undefined>>): Promise<void>;
  remove(): Promise<void>;
}

/** Makes a temporary folder with these files (path → text); `undefined` removes a file. */
export async function migrationsFolder(
  files: Readonly<Record<string, string | Uint8Array>> = {},
): Promise<TestFolder> {
  const path = await mkdtemp(join(tmpdir(), "rbt-migrations-"));
  const folder: TestFolder = {
    path,
    async write(more) {
      for (const [name, text] of Object.entries(more)) {
        const file = join(path, name);
        if (text === undefined) await rm(file, { force: true });
        else {
          await mkdir(dirname(file), { recursive: true });
          await writeFile(file, text);
        }
      }
    },
    remove: () => rm(path, { recursive: true, force: true }),
  };
  await folder.write(files);
  return folder;
}

/** The settings of a database whose migrations lie in `folder`. */
export function databaseAt(name: string, folder: string, layout?: Layout): Database {
  return {
    name,
    migrations: folder,
    layout,
    tracking: undefined,
    keyTables: [],
    sessions: undefined,
    extensions: [],
    writers: [],
  };
}

/** Databases on a test server, set up as `pulumi up` does: operator, owner role, schema `rollback`. */
export interface TestDatabases {
  /** Connects as the operator. */
  readonly open: Connect;
  /** The server as the operator. */
  readonly server: Server;
  /** Makes a new database of that name; an older one goes. */
  create(name: string): Promise<void>;
  /** Runs SQL as superuser and returns the rows of the last statement. */
  sql(database: string, text: string): Promise<Record<string, unknown>[]>;
  /** An open connection as superuser; the caller closes it. */
  admin(database: string, options?: ConnectionOptions): Promise<Client>;
}

/** See `TestDatabases`. */
export async function testDatabases(postgres: TestPostgres): Promise<TestDatabases> {
  const sql = (database: string, text: string): Promise<Record<string, unknown>[]> =>
    withClient(postgres.server, database, async (client) => {
      const result: unknown = await client.query(text);
      const last: unknown = Array.isArray(result) ? result.at(-1) : result;
      return z.object({ rows: z.array(z.record(z.string(), z.unknown())) }).parse(last).rows;
    });
  await sql("postgres", `CREATE ROLE ${operator} LOGIN PASSWORD ${pg.escapeLiteral(operatorPassword)}`);
  const server = postgres.as(operator, operatorPassword);
  return {
    server,
    open: connector(server, { applicationName: "rollback test" }),
    sql,
    admin: (database, options) => connect(postgres.server, database, options),
    async create(name) {
      const [id, owner] = [pg.escapeIdentifier(name), pg.escapeIdentifier(`${name}_owner`)];
      const client = await connect(postgres.server, "postgres");
      try {
        await client.query(`DROP DATABASE IF EXISTS ${id} WITH (FORCE)`);
        await client.query(`DROP ROLE IF EXISTS ${owner}`);
        await client.query(`CREATE ROLE ${owner} NOLOGIN`);
        await client.query(`GRANT ${owner} TO ${operator}`);
        await client.query(`CREATE DATABASE ${id} OWNER ${owner}`);
      } finally {
        await close(client);
      }
      await sql(
        name,
        `CREATE SCHEMA rollback AUTHORIZATION ${operator}; ALTER SCHEMA public OWNER TO ${owner}`,
      );
    },
  };
}
