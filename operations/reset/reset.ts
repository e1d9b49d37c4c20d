import { randomUUID } from "node:crypto";
import { operatorRole, ownerRole, stackLabel } from "../../settings/names.ts";
import { Refusal } from "../../settings/refusal.ts";
import { stackNames } from "../../settings/stack-names.ts";
import type { Database, Settings } from "../../settings/types.ts";
import { listDumps, type ListedDump } from "../backup/list.ts";
import { dumpsFolder, ownPlace, runIn, type DumpPlace } from "../backup/place.ts";
import type { Say } from "../database/connection.ts";
import { withClient } from "../database/connection.ts";
import { identifier, inTransaction } from "../database/query.ts";
import { withLock } from "../lock.ts";
import { changeSchema } from "../migrations/change.ts";
import { access, applicationName, operatorAccess } from "../plan/access.ts";
import { connectorTo, observeSchema } from "../plan/schema.ts";
import { carryOver } from "../recovery/carry-over.ts";
import { dockerPipe } from "../recovery/pipe.ts";
import { ownCluster } from "../recovery/look/session.ts";
import { emptyTables, orphansOf, rowCounts, setSequences } from "./load.ts";

export interface ResetRequest {
  readonly settings: Settings;
  readonly database: Database;
  /** Name of a dump; undefined: the newest whole one. */
  readonly dump: string | undefined;
  /** Tables whose rows are loaded from it; undefined: all; none: only what the migrations make. */
  readonly tables: readonly string[] | undefined;
  readonly say: Say;
}

export interface ResetResult {
  /** Name of the database that was replaced; it stays. */
  readonly kept: string;
  readonly version: string;
  readonly dump: string | undefined;
  readonly rows: Readonly<Record<string, number>>;
}

/**
 * Makes a database anew beside the one in use: all migrations up to its version, rows from a dump; proves that references hold,
 * and then changes their names in one transaction. The old one stays under another name. Until that transaction nothing of the old
 * one has changed, and a repeat begins anew; after it there is nothing left to do.
 */
export async function resetDatabase(request: ResetRequest): Promise<ResetResult> {
  const { settings, say } = request;
  const run = randomUUID();
  const lock = { stack: stackLabel(settings), run, purpose: "reset", takeOver: false, say };
  return withLock(access(settings), lock, async (held) => {
    const place = ownPlace(stackNames(settings).postgres, ownCluster(settings).backup.repository);
    const dump = request.tables?.length === 0 ? undefined : await dumpOf(place, request);
    const { version } = await observeSchema(
      request.database,
      connectorTo(access(settings), applicationName(settings)),
    );
    if (version === undefined)
      throw impossible(
        `${request.database.name} has no applied migration on record.`,
        "Deploy it:  pulumi up",
      );
    const fresh = `${request.database.name}_reset`;
    await makeDatabase(request, fresh);
    // Rows fit the schema that they were dumped with; what came later is applied to them.
    const dumped = dump?.manifest.databases.find(({ name }) => name === request.database.name)?.schemaVersion;
    if (dump !== undefined) {
      await migrate(request, fresh, dumped ?? version);
      await load(place, request, fresh, dump);
    }
    await migrate(request, fresh, version);
    await held.assertHeld();
    const kept = `${request.database.name}_until_${new Date().toISOString().replace(/\..*/, "").replaceAll(/[-:T]/g, "")}`;
    await switchTo(request, fresh, kept, run);
    const rows = await rowCounts(access(settings), request.database.name);
    return { kept, version, dump: dump?.name, rows };
  });
}

async function dumpOf(place: DumpPlace, { settings, database, dump }: ResetRequest): Promise<ListedDump> {
  const names = stackNames(settings);
  const whole = (await listDumps(place, names.network)).filter(
    (each) => each.whole && each.manifest.databases.some(({ name }) => name === database.name),
  );
  const found = dump === undefined ? whole[0] : whole.find(({ name }) => name === dump);
  if (found !== undefined) return found;
  throw impossible(
    dump === undefined
      ? `there is no whole dump of ${database.name}.`
      : `there is no whole dump ${dump} of ${database.name}.`,
    "Name another with --dump, or load no rows from a dump:  --no-data",
  );
}

/** As the stack makes a database, so that the engine finds what its state says. Removes what a killed call left. */
async function makeDatabase({ settings, database, say }: ResetRequest, fresh: string): Promise<void> {
  const owner = identifier(ownerRole(database.name));
  const operator = identifier(operatorRole);
  say(`making ${fresh}`);
  await withClient(access(settings), "postgres", async (client) => {
    const { rowCount } = await client.query(
      "select from pg_database d where datname = $1 and shobj_description(d.oid, 'pg_database') is distinct from $2",
      [fresh, mark],
    );
    if (rowCount !== 0)
      throw impossible(
        `a database ${fresh} exists that no reset has left.`,
        `Rename it:  ALTER DATABASE ${fresh} RENAME TO …`,
      );
    await client.query(`drop database if exists ${identifier(fresh)} with (force)`);
    // A call that was killed in the middle of the change had closed it.
    await client.query(`alter database ${identifier(database.name)} connection limit -1`);
    await client.query(
      `create database ${identifier(fresh)} owner ${owner} encoding 'UTF8' template template0`,
    );
    await client.query(`comment on database ${identifier(fresh)} is '${mark}'`);
    await client.query(`grant connect, create, temporary on database ${identifier(fresh)} to ${owner}`);
  });
  await withClient(access(settings), fresh, async (client) => {
    await client.query(`create schema rollback authorization ${operator}`);
    await client.query(
      `alter default privileges for role ${owner} in schema public grant select on tables to ${operator}`,
    );
    for (const extension of database.extensions)
      await client.query(`create extension ${identifier(extension)}`);
  });
}

const mark = "made by rollback reset, not in use yet";

async function migrate(
  { settings, database, say }: ResetRequest,
  fresh: string,
  version: string,
): Promise<void> {
  await changeSchema(
    {
      databases: [{ ...database, name: fresh }],
      wanted: new Map([[fresh, version]]),
      release: "reset",
      owner: () => ownerRole(database.name),
      onDrift: "refuse",
      way: "up",
    },
    connectorTo(operatorAccess(settings), applicationName(settings)),
  );
  say(`applied the migrations up to ${version}`);
}

/** Rows that migrations inserted give way to those of the dump. References are checked afterwards, as loading leaves them out. */
async function load(
  place: DumpPlace,
  { settings, database, tables, say }: ResetRequest,
  fresh: string,
  dump: ListedDump,
): Promise<void> {
  const server = access(settings);
  const loaded = await emptyTables(server, fresh, database, tables);
  const folder = dump.manifest.databases.find(({ name }) => name === database.name)?.folder ?? "";
  const chosen = loaded.flatMap(({ schema, name }) => [`--schema=${schema}`, `--table=${name}`]);
  await runIn(place, [
    ...["pg_restore", "--data-only", "--disable-triggers", "--exit-on-error", "--single-transaction"],
    ...["--dbname", fresh, ...chosen, `${dumpsFolder}/${dump.name}/${folder}`],
  ]);
  await setSequences(server, fresh);
  const orphans = await orphansOf(server, fresh);
  if (orphans.length > 0) {
    throw impossible(
      `rows of the dump refer to rows that are not there: ${orphans.join("; ")}.`,
      "Choose the tables that they refer to, too:  --table",
    );
  }
  say(`loaded ${loaded.length} tables from ${dump.name}`);
}

/** Closes the old one to everybody but administrators, takes what is on record of the stack along, and changes the names. */
async function switchTo(
  { settings, database, say }: ResetRequest,
  fresh: string,
  kept: string,
  run: string,
): Promise<void> {
  const server = access(settings);
  const [name, other, former] = [database.name, fresh, kept].map(identifier);
  const container = stackNames(settings).postgres;
  await withClient(server, "postgres", async (client) => {
    await client.query(`alter database ${name ?? ""} connection limit 0`);
    try {
      await endSessions(client, [database.name, fresh]);
      await copyRecords({ settings, database }, fresh);
      await carryOver({
        ...{
          from: { container, server },
          to: { container, server },
          databases: [database.name],
          as: fresh,
          run,
        },
        recovered: { kind: "reset", from: kept },
      });
      await endSessions(client, [database.name, fresh]);
      await inTransaction(client, async () => {
        await client.query(`alter database ${name ?? ""} rename to ${former ?? ""}`);
        await client.query(`alter database ${other ?? ""} rename to ${name ?? ""}`);
        await client.query(`comment on database ${name ?? ""} is null`);
      });
    } catch (error) {
      await client.query(`alter database ${name ?? ""} connection limit -1`);
      throw error;
    }
  });
  say(`${database.name} is the new database; the old one is ${kept}, open to administrators only`);
}

/** What is kept of the stack beside the ledger (journal, archives and the like), as it is: tables that the new database does not have yet. */
async function copyRecords(
  { settings, database }: Pick<ResetRequest, "settings" | "database">,
  fresh: string,
): Promise<void> {
  const tables = async (name: string): Promise<string[]> =>
    withClient(access(settings), name, async (client) => {
      const { rows } = await client.query<{ name: string }>(
        "select relname as name from pg_class where relnamespace = to_regnamespace('rollback') and relkind = 'r'",
      );
      return rows.map((row) => row.name);
    });
  const there = new Set(await tables(fresh));
  const missing = (await tables(database.name)).filter((name) => !there.has(name));
  if (missing.length === 0) return;
  const container = stackNames(settings).postgres;
  await dockerPipe(
    [
      container,
      "pg_dump",
      "-d",
      database.name,
      ...missing.flatMap((name) => ["-t", `rollback.${identifier(name)}`]),
    ],
    [container, "psql", "-qX", "-v", "ON_ERROR_STOP=1", "-1", "-d", fresh],
  );
}

async function endSessions(
  client: { query: (sql: string, values: unknown[]) => Promise<unknown> },
  databases: readonly string[],
): Promise<void> {
  await client.query(
    "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = any($1) and pid <> pg_backend_pid()",
    [databases],
  );
}

function impossible(found: string, next: string): Refusal {
  return new Refusal({
    code: "RESET_IMPOSSIBLE",
    found,
    untouched: "The database in use is as it was.",
    next,
  });
}
