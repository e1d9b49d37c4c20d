import type { ClientBase } from "pg";
import { z } from "zod";
import { literal, rowsOfEach } from "../database/query.ts";
import { quoteName } from "./sql/names.ts";
import type { TableName } from "./types.ts";

/** What runs in a database without a plan's text saying so. Names are lower case and without schema. */
export interface ProgramFacts {
  /** Triggers that fire when tables are written to or the schema is changed, and the functions they call. */
  readonly triggers: readonly { readonly trigger: string; readonly function: string }[];
  /** Functions of the application, those of one name in one. */
  readonly functions: readonly { readonly name: string; readonly body: string }[];
}

const triggerRows = z.array(z.object({ trigger: z.string(), function: z.string() }));
const functionRows = z.array(z.object({ name: z.string(), body: z.string() }));

/** Asks for the triggers of tables and of those that foreign keys reach from them, for event triggers, and for functions. */
export async function programFacts(client: ClientBase, written: readonly TableName[]): Promise<ProgramFacts> {
  const names = JSON.stringify([...new Set(written.map(quoteName))]);
  const [triggers, functions] = await rowsOfEach(client, [triggersSql(names), functionsSql]);
  return { triggers: triggerRows.parse(triggers), functions: functionRows.parse(functions) };
}

const triggersSql = (names: string) => `
  WITH RECURSIVE reached(rel) AS (
    SELECT to_regclass(n)::oid FROM jsonb_array_elements_text(${literal(names)}) AS n
    UNION SELECT next.rel FROM reached r CROSS JOIN LATERAL (
      SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = r.rel
      UNION ALL SELECT c.conrelid FROM pg_constraint c WHERE c.confrelid = r.rel AND c.contype = 'f'
        AND (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd'))
    ) AS next(rel)
  )
  SELECT 'the trigger ' || t.tgname || ' of ' || t.tgrelid::regclass AS trigger, lower(p.proname) AS function
  FROM reached r JOIN pg_trigger t ON t.tgrelid = r.rel JOIN pg_proc p ON p.oid = t.tgfoid
  WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
  UNION ALL SELECT 'the event trigger ' || e.evtname, lower(p.proname)
  FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid WHERE e.evtenabled IN ('O', 'A')`;

const functionsSql = `
  SELECT lower(p.proname) AS name, string_agg(coalesce(pg_get_function_sqlbody(p.oid), p.prosrc), E'\\n') AS body
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'rollback') AND p.prokind <> 'a'
  GROUP BY 1`;
