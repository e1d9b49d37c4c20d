import type { ClientBase } from "pg";
import { z } from "zod";
import { identifier, literal, rowsOf, rowsOfEach } from "../database/query.ts";
import type { DatabasePlan } from "./plan.ts";
import { lockModes, stronger } from "./sql/locks.ts";
import type { LockMode } from "./sql/locks.ts";
import { quoteName } from "./sql/names.ts";
import { strongestLocks } from "./steps.ts";

/** The weakest mode that stops anybody but other schema changes. */
const weakest = lockModes.indexOf("SHARE UPDATE EXCLUSIVE");

/**
 * Takes all locks known beforehand before any work is done: what cannot be had is then found out in milliseconds, not after
 * minutes of work that innocent queries would have waited for. With `nowait` nobody ever queues behind us.
 * Returns the tables (quoted, as the SQL names them) that hold no row, as far as what runs later cannot fill them.
 */
export async function lockTables(
  client: ClientBase,
  plan: DatabasePlan,
  nowait: boolean,
): Promise<ReadonlySet<string>> {
  const wanted = strongestLocks(plan.steps.map((step) => step.script)).filter(
    (lock) => lockModes.indexOf(lock.mode) >= weakest,
  );
  if (wanted.length === 0) return new Set();
  const lost = lostTables(plan);
  const named = wanted.map((lock) => ({ name: quoteName(lock.table), mode: lock.mode }));
  const results = await rowsOfEach(client, [
    `SET LOCAL ROLE ${identifier(plan.owner)}`,
    findTables(JSON.stringify(named), JSON.stringify(lost)),
  ]);
  const found = tableRows.parse(results.at(-1));
  const strongest = new Map<string, LockMode>();
  for (const { table, mode } of found) strongest.set(table, stronger(strongest.get(table) ?? mode, mode));
  const statements = [...Map.groupBy(strongest, ([, mode]) => mode)].map(
    ([mode, tables]) =>
      `LOCK TABLE ${tables.map(([table]) => table).join(", ")} IN ${mode} MODE${nowait ? " NOWAIT" : ""}`,
  );
  const [empty] = (
    await rowsOfEach(client, [...statements, emptyTables(JSON.stringify(lost)), "SET LOCAL ROLE NONE"])
  ).slice(-2);
  return new Set(nameRows.parse(empty).map(({ name }) => name));
}

const tableRows = z.array(z.object({ table: z.string(), mode: z.enum(lockModes) }));
const nameRows = z.array(z.object({ name: z.string() }));

/** `locks`: names and modes; `lost`: tables that are dropped; both JSON. Names are resolved as the owner would. */
const findTables = (locks: string, lost: string) => `
  WITH named AS (
    SELECT c.oid, w.mode FROM jsonb_to_recordset(${literal(locks)}) AS w(name text, mode text) JOIN pg_class c ON c.oid = to_regclass(w.name)
  ), tables AS (
    -- An index's lock is on its table.
    SELECT coalesce(i.indrelid, n.oid) AS oid, n.mode FROM named n LEFT JOIN pg_index i ON i.indexrelid = n.oid
    -- Dropping a table also locks those that its foreign keys refer to.
    UNION SELECT k.confrelid, 'ACCESS EXCLUSIVE' FROM pg_constraint k
      WHERE k.contype = 'f' AND k.conrelid = ANY (SELECT to_regclass(d) FROM jsonb_array_elements_text(${literal(lost)}) AS d)
  )
  SELECT format('%I.%I', s.nspname, c.relname) AS table, t.mode
  FROM tables t JOIN pg_class c ON c.oid = t.oid JOIN pg_namespace s ON s.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND pg_has_role(c.relowner, 'USAGE') ORDER BY 1`;

/** Tables that reversals destroy wholly or in part, up to the first statement that might fill or rename a table. */
function lostTables(plan: DatabasePlan): string[] {
  const names = new Set<string>();
  for (const step of plan.steps) {
    if (step.direction === "forward") break;
    for (const { losses, fills } of step.script.statements) {
      if (fills) return [...names];
      for (const loss of losses) {
        if (loss.kind === "table" || loss.kind === "column") names.add(quoteName(loss.table));
      }
    }
  }
  return [...names];
}

/** A table without a single page has no rows; one with pages may have some. Only what we have locked is asked about. */
const emptyTables = (names: string) => `
  SELECT n AS name FROM jsonb_array_elements_text(${literal(names)}) AS n JOIN pg_class c ON c.oid = to_regclass(n)
  WHERE c.relkind = 'r' AND pg_relation_size(c.oid) = 0
    AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid)
    AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.relation = c.oid AND l.mode = 'AccessExclusiveLock' AND l.granted)`;

/** Who holds the tables that a plan wants, for the refusal. */
export async function lockHolders(client: ClientBase, plan: DatabasePlan): Promise<string[]> {
  const names = strongestLocks(plan.steps.map((step) => step.script)).map((lock) => quoteName(lock.table));
  const rows = await rowsOf(
    client,
    z.object({ pid: z.number(), role: z.string().nullable(), app: z.string().nullable(), table: z.string() }),
    `SELECT DISTINCT l.pid, a.usename::text AS role, a.application_name AS app, l.relation::regclass::text AS table
     FROM pg_locks l JOIN pg_stat_activity a USING (pid)
     WHERE l.granted AND l.pid <> pg_backend_pid() AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND l.relation = ANY (SELECT to_regclass(n) FROM unnest($1::text[]) AS n) ORDER BY l.pid LIMIT 5`,
    [names],
  );
  return rows.map(({ pid, role, app, table }) => {
    const what = [role, app].filter((text) => text !== null && text !== "").join(", ");
    return `pid ${pid} (${what}) on ${plan.database}.${table}`;
  });
}
