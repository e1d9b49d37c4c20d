import { randomBytes } from "node:crypto";
import { z } from "zod";
import { close, connect, withClient } from "../database/connection.ts";
import type { Server } from "../database/connection.ts";
import { identifier, literal, rowOf, rowsOf } from "../database/query.ts";

const prefix = "rollback_scratch_";

/**
 * Makes an empty database on the same server, set up like `like` (encoding, locale, extensions, owner of `public`), with the
 * schema `rollback` of `operator`, lends its name to `work` and drops it, also after an error. `admin` may create
 * databases and the extensions. What
 * a killed run left behind is dropped first.
 */
export async function withScratch<T>(
  admin: Server,
  like: string,
  roles: { readonly owner: string; readonly operator: string },
  work: (scratch: string) => Promise<T>,
): Promise<T> {
  const name = prefix + randomBytes(6).toString("hex");
  const model = await modelOf(admin, like);
  await withClient(admin, "postgres", async (client) => {
    const left = await rowsOf(
      client,
      z.object({ name: z.string() }),
      `SELECT datname::text AS name FROM pg_database d WHERE starts_with(datname::text, $1)
       AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid)`,
      [prefix],
    );
    for (const each of left) await client.query(`DROP DATABASE IF EXISTS ${identifier(each.name)}`);
    await client.query(
      `CREATE DATABASE ${identifier(name)} OWNER ${identifier(roles.owner)} TEMPLATE template0 ENCODING ${literal(model.encoding)}
       LC_COLLATE ${literal(model.collate)} LC_CTYPE ${literal(model.ctype)}`,
    );
  });
  // Open as long as the database is in use: one without a session is taken for left behind.
  const client = await connect(admin, name);
  try {
    await client.query(
      [
        `CREATE SCHEMA rollback AUTHORIZATION ${identifier(roles.operator)}`,
        ...(model.publicOwner === "pg_database_owner"
          ? []
          : [`ALTER SCHEMA public OWNER TO ${identifier(model.publicOwner)}`]),
        ...model.extensions.flatMap(({ extension, schema }) => [
          `CREATE SCHEMA IF NOT EXISTS ${identifier(schema)} AUTHORIZATION ${identifier(roles.owner)}`,
          `CREATE EXTENSION IF NOT EXISTS ${identifier(extension)} SCHEMA ${identifier(schema)} CASCADE`,
        ]),
      ].join("; "),
    );
    return await work(name);
  } finally {
    await close(client);
    await withClient(admin, "postgres", (last) =>
      last.query(`DROP DATABASE IF EXISTS ${identifier(name)} WITH (FORCE)`),
    );
  }
}

interface Model {
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  readonly publicOwner: string;
  readonly extensions: readonly { readonly extension: string; readonly schema: string }[];
}

async function modelOf(admin: Server, database: string): Promise<Model> {
  return withClient(admin, database, async (client) => {
    const row = await rowOf(
      client,
      z.object({
        encoding: z.string(),
        collate: z.string(),
        ctype: z.string(),
        owner: z.string().nullable(),
      }),
      `SELECT pg_encoding_to_char(encoding)::text AS encoding, datcollate::text AS collate, datctype::text AS ctype,
         (SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = 'public') AS owner
       FROM pg_database WHERE datname = current_database()`,
    );
    const extensions = await rowsOf(
      client,
      z.object({ extension: z.string(), schema: z.string() }),
      `SELECT extname::text AS extension, extnamespace::regnamespace::text AS schema FROM pg_extension WHERE extname <> 'plpgsql'`,
    );
    return { ...row, publicOwner: row.owner ?? "pg_database_owner", extensions };
  });
}
