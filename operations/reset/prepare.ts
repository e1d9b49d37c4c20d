import type { Client } from "pg";
import { z } from "zod";
import { ownerRole } from "../../settings/names.ts";
import { isRefusal } from "../../settings/refusal.ts";
import type { Database } from "../../settings/types.ts";
import { dumpsFolder, runIn } from "../backup/place.ts";
import { withClient } from "../database/connection.ts";
import { rowsOf } from "../database/query.ts";
import { DockerFailure } from "../docker/run.ts";
import { sessionName } from "../journal/run-token.ts";
import { changeSchema } from "../migrations/change.ts";
import { access, operatorAccess } from "../plan/access.ts";
import { connectorTo } from "../plan/schema.ts";
import { replay } from "../recovery/replay.ts";
import { qualified } from "../recovery/find/find.ts";
import { emptyTables, orphansOf, setSequences, sqlOf, type Table } from "./load.ts";
import { dropUnfinished, makeDatabase, session, type ResetWork } from "./make.ts";
import { resetPlace } from "./plan.ts";
import { refuseReset } from "./refusals.ts";
import type { DumpLoad, PackLoad } from "./types.ts";

/**
 * Makes the new database beside the one in use, while everybody works with that: migrations up to the version of the dump, its rows,
 * later migrations, the pack's rows, and a look whether references hold. What fails leaves nothing behind. A database that comes
 * back needs none of it. To be called under the stack's lock.
 */
export async function prepareReset(work: ResetWork): Promise<void> {
  const { settings, plan, run } = work;
  const database = settings.databases.get(plan.database);
  if (plan.kind === "back" || database === undefined) return;
  try {
    await makeDatabase(work, database);
    await fill(work, database);
  } catch (error) {
    // What made it fail is what matters: a server that is gone drops nothing, and the next run does.
    await dropUnfinished(settings, [plan.successor], run).catch(() => undefined);
    throw saysDiskFull(error) ? diskFull(plan.successor, error) : error;
  }
}

/** In PostgreSQL's words, wherever on the way they were said. */
function saysDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return /no space left on device/i.test(error.message) || saysDiskFull(error.cause);
}

function diskFull(successor: string, cause: unknown): Error {
  return refuseReset(
    "RESET_NO_SPACE",
    `the disk of the data's volume was full before ${successor} was whole.`,
    "Make room there, then repeat; it is begun anew.",
    cause,
  );
}

async function fill(work: ResetWork, database: Database): Promise<void> {
  const { plan, settings } = work;
  const { dump, pack } = plan;
  if (dump !== undefined) {
    // Rows fit the schema that they were dumped with; what came later is applied to them.
    await migrate(work, database, dump.version);
    await loadDump(work, dump);
  }
  await migrate(work, database, plan.version);
  if (pack !== undefined) await loadPack(work, pack);
  if (dump === undefined && pack === undefined) return;
  await setSequences(access(settings), plan.successor, session(work));
  const orphans = await orphansOf(access(settings), plan.successor, session(work));
  if (orphans.length > 0)
    throw refuseReset(
      "RESET_REFERENCES",
      `rows that were loaded refer to rows that are not there: ${orphans.join("; ")}.`,
      "Choose the tables that they refer to, too:  rollback:reset.load.tables;  npx rollback reset --table",
    );
}

async function migrate(work: ResetWork, database: Database, version: string): Promise<void> {
  const { settings, plan, run, say } = work;
  await changeSchema(
    {
      databases: [{ ...database, name: plan.successor }],
      wanted: new Map([[plan.successor, version]]),
      release: "reset",
      owner: () => ownerRole(database.name),
      onDrift: "refuse",
      way: "up",
    },
    connectorTo(operatorAccess(settings), sessionName(run, "reset")),
  );
  say(`applied the migrations of ${plan.successor} up to ${version}`);
}

/** Rows that migrations inserted give way to those of the dump. References are checked afterwards, as loading leaves them out. */
async function loadDump(work: ResetWork, dump: DumpLoad): Promise<void> {
  const { settings, plan, say } = work;
  const asked = dump.tables.map(({ table }) => table);
  const loaded = await emptyTables(access(settings), plan.successor, asked, session(work));
  const there = new Set(loaded.map(sqlOf));
  const leftOut = asked.filter((table) => !there.has(table));
  if (plan.tables !== undefined && leftOut.length > 0) throw tablesGone(leftOut, dump.version);
  if (leftOut.length > 0)
    say(`left out, since no migration makes them: ${leftOut.join(", ")}; they stay in ${plan.keepAs}`);
  for (const [schema, tables] of bySchema(loaded)) {
    say(`loading ${tables.length} tables of ${schema} from ${dump.name}`);
    const chosen = [`--schema=${schema}`, ...tables.map((name) => `--table=${name}`)];
    const command = [
      ...["pg_restore", "--data-only", "--disable-triggers", "--exit-on-error", "--single-transaction"],
      ...["--dbname", plan.successor, ...chosen, `${dumpsFolder}/${dump.name}/${dump.folder}`],
    ];
    try {
      await runIn(resetPlace(settings), command, session(work));
    } catch (error) {
      throw loadFailed(error);
    }
  }
  say(`loaded ${loaded.length} tables from ${dump.name}`);
}

function bySchema(tables: readonly Table[]): Map<string, string[]> {
  const grouped = new Map<string, string[]>();
  for (const { schema, name } of tables) grouped.set(schema, [...(grouped.get(schema) ?? []), name]);
  return grouped;
}

/** Over what was loaded before: of a row that both have, the pack knows the later state. */
async function loadPack(work: ResetWork, { name, rows }: PackLoad): Promise<void> {
  const { settings, plan, run, say } = work;
  await withClient(
    operatorAccess(settings),
    plan.successor,
    async (client) => {
      const gone = await missingTables(client, [...new Set(rows.map(({ table }) => table))]);
      if (gone.length > 0) throw tablesGone(gone, plan.version);
      try {
        const options = { run, pack: name, overwrite: true, dryRun: false };
        for (const { table, inserted, updated, deleted } of await replay(client, rows, options))
          say(
            `${table}: ${inserted} rows inserted, ${updated} updated, ${deleted} deleted as ${name} has them`,
          );
      } catch (error) {
        if (isRefusal(error, "SALVAGE_FAILED")) throw loadFailed(error, error.details.found);
        throw error;
      }
    },
    session(work),
  );
}

async function missingTables(client: Client, tables: readonly string[]): Promise<string[]> {
  const rows = await rowsOf(
    client,
    z.object({ name: z.string() }),
    "select name from unnest($1::text[], $2::text[]) t(name, sql) where to_regclass(sql) is null",
    [tables, tables.map((table) => qualified(table))],
  );
  return rows.map(({ name }) => name);
}

function tablesGone(tables: readonly string[], version: string): Error {
  return refuseReset(
    "RESET_TABLES_GONE",
    `there are rows for ${tables.join(", ")}, and no migration up to ${version} makes that.`,
    "Name the tables that are to be loaded:  rollback:reset.load.tables;  npx rollback reset --table",
  );
}

function loadFailed(error: unknown, found?: string): unknown {
  if (found === undefined && !(error instanceof DockerFailure)) return error;
  const words = error instanceof DockerFailure ? error.stderr.split("\n").slice(0, 3).join(" ") : "";
  return refuseReset(
    "RESET_LOAD_FAILED",
    found ?? `PostgreSQL does not take the rows: ${words}`,
    "Load other tables, or from elsewhere. The new database was removed again.",
    error,
  );
}
