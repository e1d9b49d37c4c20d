import { z } from "zod";
import { withClient, type ConnectionOptions, type Server } from "../database/connection.ts";
import { isAbsent } from "../database/errors.ts";
import { rowsOf } from "../database/query.ts";
import { ensureTable } from "../database/schema.ts";

const createTable = `
  create table rollback.way_back_tried (
    run  text primary key,
    at   timestamptz not null default clock_timestamp())`;

const there = z.object({ run: z.string() });

/** Whether a way back was tried for this run, by this or any other monitor. */
export async function wasTried(
  server: Server,
  database: string,
  run: string,
  options: ConnectionOptions,
): Promise<boolean> {
  try {
    const sql = "select run from rollback.way_back_tried where run = $1";
    const rows = await withClient(server, database, (client) => rowsOf(client, there, sql, [run]), options);
    return rows.length > 0;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

/** Takes the one try that a run has; false: another monitor was quicker. */
export async function takeTry(
  server: Server,
  database: string,
  run: string,
  options: ConnectionOptions,
): Promise<boolean> {
  return withClient(
    server,
    database,
    async (client) => {
      await ensureTable(client, "way_back_tried", createTable);
      const sql =
        "insert into rollback.way_back_tried (run) values ($1) on conflict do nothing returning run";
      return (await rowsOf(client, there, sql, [run])).length > 0;
    },
    options,
  );
}

/** Gives the try back: the stack was locked, and nothing was done. */
export async function giveTryBack(
  server: Server,
  database: string,
  run: string,
  options: ConnectionOptions,
): Promise<void> {
  const sql = "delete from rollback.way_back_tried where run = $1";
  await withClient(server, database, (client) => client.query(sql, [run]), options);
}
