import type { ClientBase } from "pg";
import { z } from "zod";
import { Refusal } from "../../../settings/refusal.ts";
import { rowOf } from "../../database/query.ts";
import { ledgerVersions } from "./schema.ts";

/**
 * Makes the ledger's tables in the schema `rollback`, or brings older ones up to date; finds nothing to do otherwise.
 * `client` is connected as the operator, who owns the schema. Returns the ledger's version.
 * Throws Refusals `LEDGER_NOT_OURS` (schema missing or somebody else's) and `LEDGER_NEWER`.
 */
export async function ensureLedger(client: ClientBase): Promise<number> {
  const found = await rowOf(
    client,
    z.object({ schema: z.boolean(), ours: z.boolean(), table: z.boolean() }),
    `SELECT to_regnamespace('rollback') IS NOT NULL AS schema,
       coalesce((SELECT nspowner = session_user::regrole
         FROM pg_namespace WHERE nspname = 'rollback'), false) AS ours,
       to_regclass('rollback.ledger') IS NOT NULL AS table`,
  );
  if (!found.ours) {
    throw new Refusal({
      code: "LEDGER_NOT_OURS",
      found: found.schema
        ? "the schema rollback belongs to another role than the operator."
        : "there is no schema rollback.",
      untouched: "Nothing was changed.",
      next: "Let `pulumi up` make the schema, owned by rollback_operator.",
    });
  }
  const present = found.table ? await ledgerVersion(client) : 0;
  const wanted = ledgerVersions.length;
  if (present > wanted) {
    throw new Refusal({
      code: "LEDGER_NEWER",
      found: `the ledger has version ${present}, this program knows ${wanted}.`,
      untouched: "Nothing was changed.",
      next: "Use the newest version of this program; only the configuration goes back.",
    });
  }
  for (let version = present + 1; version <= wanted; version++) {
    const sql = ledgerVersions[version - 1] ?? "";
    await client.query(`BEGIN; ${sql}; INSERT INTO rollback.ledger (version) VALUES (${version}); COMMIT`);
  }
  return wanted;
}

async function ledgerVersion(client: ClientBase): Promise<number> {
  const row = await rowOf(
    client,
    z.object({ version: z.number().nullable() }),
    "SELECT max(version) AS version FROM rollback.ledger",
  );
  return row.version ?? 0;
}
