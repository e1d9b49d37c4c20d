import { z } from "zod";
import { stackLabel } from "../../settings/names.ts";
import type { Settings } from "../../settings/types.ts";
import type { Server } from "../database/connection.ts";
import { withClient } from "../database/connection.ts";
import { isAbsent } from "../database/errors.ts";
import { currentTimeline } from "../database/observe.ts";
import { rowOf, rowsOf } from "../database/query.ts";
import { beforeFirst, none } from "../migrations/plan.ts";
import type { World } from "../plan/world.ts";
import type { SourceSize } from "./checks.ts";
import { parseLsn, type Ending } from "./wal.ts";

/** Where the source stands: its timeline, the end of what is on disk, and how large it is. */
export async function currentPosition(server: Server): Promise<{ readonly timeline: number } & SourceSize> {
  const row = await withClient(server, "postgres", (client) =>
    rowOf(
      client,
      z.object({
        timeline: z.number(),
        lsn: z.string(),
        databases: z.coerce.number(),
        walKept: z.coerce.number(),
      }),
      `select ${currentTimeline} as timeline, pg_current_wal_flush_lsn()::text as lsn,
              (select sum(pg_database_size(oid)) from pg_database) as databases,
              (select setting::bigint * 1024 ^ 2 from pg_settings where name = 'max_wal_size') as "walKept"`,
    ),
  );
  const { timeline, databases, walKept } = row;
  return { timeline, lsn: parseLsn(row.lsn), databases, walKept };
}

/** Revision of the last run that brought a release which had not been live before it. */
export async function releaseStart(
  server: Server,
  settings: Settings,
  release: string,
): Promise<string | undefined> {
  const [first] = settings.databases.keys();
  if (first === undefined) return undefined;
  try {
    return await withClient(server, first, async (client) => {
      const rows = await rowsOf(
        client,
        z.object({ revision: z.string() }),
        `select revision from rollback.journal
          where stack = $1 and went_to->'live' ? $2 and not came_from->'releases' ? $2 order by id desc limit 1`,
        [stackLabel(settings), release],
      );
      return rows[0]?.revision;
    });
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Transactions that a recovery keeps, where the WAL of those it does not keep is incomplete. */
export interface Kept {
  readonly xids: readonly string[];
  /** Time of the last of them; what began later is not among them, whether it is known or not. */
  readonly until: string;
}

/**
 * The schema's version of each database at the target: where the first lost change of it began, else where it is now. Exact by
 * transaction: the `xmin` of each row of the ledger's events is looked for among the lost ones.
 */
export async function schemaAt(
  server: Server,
  settings: Settings,
  schema: World["schema"],
  lost: readonly Ending[],
  kept?: Kept,
): Promise<ReadonlyMap<string, string | undefined>> {
  const xids = lost.flatMap(({ xid, subxids }) => [xid, ...subxids]);
  const versions = [...settings.databases.keys()].map(async (name) => {
    const now = schema.get(name);
    if (now?.exists !== true) return [name, undefined] as const;
    const before = await firstLostChange(server, name, xids, kept);
    return [
      name,
      before === undefined ? now.version : before === beforeFirst || before === none ? undefined : before,
    ] as const;
  });
  return new Map(await Promise.all(versions));
}

async function firstLostChange(
  server: Server,
  database: string,
  xids: readonly string[],
  kept: Kept | undefined,
): Promise<string | undefined> {
  try {
    const rows = await withClient(server, database, (client) =>
      rowsOf(
        client,
        z.object({ from: z.string() }),
        `select details->>'from' as "from" from rollback.event
          where kind = 'schema'
            and (xmin::text = any($1) or (at > $2::timestamptz and xmin::text <> all($3))) order by id limit 1`,
        [xids, kept?.until ?? "infinity", kept?.xids ?? []],
      ),
    );
    return rows[0]?.from;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/**
 * The schemas that a volume was left with, from the events that the move away from it appended; versions that nothing is
 * recorded of are taken from `otherwise`.
 */
export async function schemaLeftOn(
  server: Server,
  volume: string,
  otherwise: ReadonlyMap<string, string | undefined>,
): Promise<ReadonlyMap<string, string | undefined>> {
  const left = [...otherwise].map(async ([database, version]) => {
    const recorded = await leftVersion(server, database, volume);
    return [
      database,
      recorded === undefined ? version : recorded === beforeFirst || recorded === none ? undefined : recorded,
    ] as const;
  });
  return new Map(await Promise.all(left));
}

async function leftVersion(server: Server, database: string, volume: string): Promise<string | undefined> {
  try {
    const rows = await withClient(server, database, (client) =>
      rowsOf(
        client,
        z.object({ version: z.string().nullable() }),
        `select details->'left'->>$1 as version from rollback.event
          where kind = 'recovered' and details->>'from' = $2 order by id desc limit 1`,
        [database, volume],
      ),
    );
    return rows[0]?.version ?? undefined;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
