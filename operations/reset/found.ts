import { z } from "zod";
import { withClient, type Server } from "../database/connection.ts";
import { rowsOf } from "../database/query.ts";
import { unfinished } from "./names.ts";

const foundSchema = z.object({
  name: z.string(),
  comment: z.string(),
  /** Nobody but administrators gets in. */
  closed: z.boolean(),
  bytes: z.coerce.number(),
});

/** A database as the server's catalogue tells of it. */
export type FoundDatabase = z.output<typeof foundSchema>;

/** Those of these databases that exist. `sizes`: whether their size is wanted, for which every file is looked at. */
export async function findDatabases(
  server: Server,
  names: readonly string[],
  sizes: boolean,
): Promise<Map<string, FoundDatabase>> {
  return withClient(server, "postgres", async (client) => {
    const rows = await rowsOf(
      client,
      foundSchema,
      `select datname as name, coalesce(shobj_description(oid, 'pg_database'), '') as comment, datconnlimit = 0 as closed,
              ${sizes ? "pg_database_size(oid)" : "0"} as bytes
         from pg_database where datname = any($1)`,
      [names],
    );
    return new Map(rows.map((row) => [row.name, row]));
  });
}

/** Whether this is a new database that a reset has left half made, perhaps before it had its mark. */
export function isHalfMade({ comment, closed }: FoundDatabase): boolean {
  return comment.startsWith(unfinished) || (comment === "" && closed);
}
