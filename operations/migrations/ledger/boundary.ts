import { createHash } from "node:crypto";
import type { ClientBase } from "pg";
import { z } from "zod";
import { rowsOf } from "../../database/query.ts";
import type { ScriptStatement } from "../sql/script.ts";
import type { Boundary } from "../types.ts";
import { appendEvent } from "./write.ts";

/**
 * A step that cannot run in a transaction is a boundary: its progress is a chain of events `boundary`, one before and one
 * after each statement. The newest one tells where it stands; a killed run is gone on with from there.
 */

const eventRow = z.object({
  details: z.object({
    state: z.enum(["open", "begun", "done", "closed"]),
    version: z.string(),
    direction: z.enum(["forward", "reverse"]),
    done: z.number(),
    hash: z.string(),
    begun: z.array(z.string()).nullable(),
    before: z.string(),
  }),
});

/** The event that tells whether there is one. */
export const newestBoundary =
  "SELECT details FROM rollback.event WHERE kind = 'boundary' ORDER BY id DESC LIMIT 1";

/** The boundary that was opened and not closed, from the rows of `newestBoundary`; undefined: there is none. */
export function openBoundary(rows: readonly unknown[]): Boundary | undefined {
  const [row] = z.array(eventRow).parse(rows);
  if (row === undefined || row.details.state === "closed") return undefined;
  const { version, direction, done, hash, begun, before } = row.details;
  return { version, direction, done, hash, begun: begun ?? undefined, before };
}

/** Records how far the step is; part of the transaction of what it tells of, where there is one. */
export async function recordBoundary(
  client: ClientBase,
  run: string,
  state: "open" | "begun" | "done" | "closed",
  { begun, ...boundary }: Boundary,
): Promise<void> {
  await appendEvent(client, run, "boundary", { state, ...boundary, begun: begun ?? null });
}

/** Keeps the schema before a step until it is closed; part of the transaction that opens it. */
export async function keepSchemaBefore(client: ClientBase, version: string, schema: unknown): Promise<void> {
  await client.query(
    `INSERT INTO rollback.boundary (version, schema_before) VALUES ($1, $2::jsonb)
     ON CONFLICT (single) DO UPDATE SET version = excluded.version, schema_before = excluded.schema_before`,
    [version, JSON.stringify(schema)],
  );
}

/** What was kept of the schema before a step, and is not needed any more; undefined: nothing was. */
export async function takeSchemaBefore(client: ClientBase, version: string): Promise<unknown> {
  const rows = await rowsOf(
    client,
    z.object({ version: z.string(), schema: z.unknown() }),
    "DELETE FROM rollback.boundary RETURNING version, schema_before AS schema",
  );
  return rows.find((row) => row.version === version)?.schema;
}

/** Hash over statements as they were written, by which a later run knows that what is done is what it would do. */
export function hashOf(statements: readonly Pick<ScriptStatement, "sql" | "outside">[]): string {
  const hash = createHash("sha256");
  for (const { sql, outside } of statements) hash.update(outside?.sql ?? sql).update("\0");
  return hash.digest("hex");
}
