import { Refusal } from "../../settings/refusal.ts";
import { close } from "../database/connection.ts";
import { identifier, inTransaction } from "../database/query.ts";
import { changeSchema } from "./change.ts";
import { layoutReader, readMigrations } from "./layouts/index.ts";
import { takeSchemaLock } from "./lock.ts";
import { observeDatabase } from "./observe.ts";
import { standOf } from "./stand.ts";
import type { Stand, StandRequest } from "./stand.ts";

export interface AdoptOptions {
  /** Version that the database is at, when it is known; undefined: found out by comparing. */
  readonly at: string | undefined;
  /** Take the version although the catalogue differs from what the migrations make. */
  readonly despite: boolean;
  readonly release: string;
}

/** What was taken over. */
export interface Adopted {
  readonly version: string;
  readonly migrations: number;
  /** In what the database differs from what the migrations make; empty: in nothing. */
  readonly differences: readonly string[];
}

/**
 * Takes a database over whose migrations were applied by hand: finds out how far by comparing it with what the migrations
 * make, and records them in the layout's tracking table and in the ledger. Nothing else of the database is changed.
 * Throws Refusals `ADOPT_TRACKED`, `ADOPT_NO_MATCH`, `ADOPT_AMBIGUOUS`, `ADOPT_DIFFERS` and `SCHEMA_UNKNOWN_VERSION`.
 */
export async function adoptDatabase(request: StandRequest, options: AdoptOptions): Promise<Adopted> {
  const { database, owner, open } = request;
  const reader = await layoutReader(database);
  const { schema, table } = reader.trackingTable;
  const client = await open(database.name);
  try {
    await takeSchemaLock(client, database.name, 10_000);
    const { tracked } = await observeDatabase(client, database);
    if (tracked !== undefined && tracked.length > 0)
      throw alreadyTracked(database.name, `${schema}.${table}`);
    const at = options.at === undefined ? undefined : (reader.normalise(options.at) ?? options.at);
    const files = await readMigrations(database);
    const upTo = at === undefined ? files.length - 1 : files.findIndex(({ version }) => version === at);
    if (upTo === -1) throw unknownVersion(database.name, options.at ?? "");
    const stand = await standOf(request);
    const { version, differences } = decided(database.name, stand, at, options.despite);
    const applied = files.slice(0, files.findIndex((file) => file.version === version) + 1);
    await inTransaction(client, async () => {
      const create = tracked === undefined ? [reader.trackingTable.create] : [];
      const record = reader.trackingTable.record(applied, undefined);
      await client.query([`SET LOCAL ROLE ${identifier(owner)}`, ...create, record].join("; "));
    });
    await close(client);
    await changeSchema(
      {
        databases: [database],
        wanted: new Map([[database.name, version]]),
        release: options.release,
        owner: () => owner,
      },
      open,
    );
    return { version, migrations: applied.length, differences };
  } finally {
    await close(client);
  }
}

/** The version to record, and what differs there. Pure; throws the Refusals of `adoptDatabase`. */
export function decided(
  database: string,
  { fits, nearest, ended }: Stand,
  at: string | undefined,
  despite: boolean,
): { version: string; differences: readonly string[] } {
  const [only, ...others] = fits;
  if (at !== undefined && fits.includes(at)) return { version: at, differences: [] };
  if (at === undefined && only !== undefined && others.length === 0)
    return { version: only, differences: [] };
  const differences = nearest?.differences ?? [];
  if (at !== undefined && despite)
    return { version: at, differences: nearest?.version === at ? differences : [] };
  const stopped = ended === undefined ? "" : `\nThe migrations could not be applied any further: ${ended}`;
  if (at === undefined && only !== undefined) {
    throw new Refusal({
      code: "ADOPT_AMBIGUOUS",
      found: `the catalogue of ${database} is that of the versions ${fits.join(", ")}: migrations that change data only cannot be told apart.`,
      untouched: "Nothing was changed.",
      next: `Say which:  rollback adopt ${database} --at ${fits.at(-1) ?? ""}`,
    });
  }
  const lines = differences.map((line) => `\n  ${line}`).join("");
  const where = nearest === undefined ? "" : ` The nearest is ${nearest.version}:${lines}`;
  throw new Refusal(
    at === undefined
      ? {
          code: "ADOPT_NO_MATCH",
          found: `the catalogue of ${database} is not that of any version.${where}${stopped}`,
          untouched: "Nothing was changed.",
          next: `Undo the differences by hand, or record them as they are:  rollback adopt ${database} --at VERSION --despite-differences`,
        }
      : {
          code: "ADOPT_DIFFERS",
          found: `the catalogue of ${database} is not that of version ${at}${fits.length === 0 ? "" : `, but of ${fits.join(", ")}`}.${where}${stopped}`,
          untouched: "Nothing was changed.",
          next: `Undo the differences by hand, or record them as they are:  rollback adopt ${database} --at ${at} --despite-differences`,
        },
  );
}

function alreadyTracked(database: string, table: string): Refusal {
  return new Refusal({
    code: "ADOPT_TRACKED",
    found: `${table} of ${database} says which migrations are applied.`,
    untouched: "Nothing was changed.",
    next: "`pulumi up` takes them over from there.",
  });
}

function unknownVersion(database: string, version: string): Refusal {
  return new Refusal({
    code: "SCHEMA_UNKNOWN_VERSION",
    found: `there is no migration ${version} of ${database}.`,
    untouched: "Nothing was changed.",
    next: "Name one of the migrations in the folder.",
  });
}
