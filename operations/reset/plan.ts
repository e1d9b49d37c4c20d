import { dataFolder } from "../../settings/archive.ts";
import { tableSql } from "../../settings/identifiers.ts";
import { stackLabel } from "../../settings/names.ts";
import { stackNames } from "../../settings/stack-names.ts";
import type { Reset, Settings } from "../../settings/types.ts";
import { ownPlace, shellIn, type DumpPlace } from "../backup/place.ts";
import { layoutReader } from "../migrations/layouts/index.ts";
import { freeScript } from "../recovery/checks.ts";
import { qualified } from "../recovery/find/find.ts";
import { ownCluster } from "../recovery/look/session.ts";
import { chosen, listPacks, readPack } from "../recovery/pack.ts";
import { dumpToLoad } from "./dump.ts";
import { isHalfMade, type FoundDatabase } from "./found.ts";
import { bytesNeeded, refuseNewer, refuseWithoutRoom } from "./judge.ts";
import { freshName, keptMark } from "./names.ts";
import { refuseReset } from "./refusals.ts";
import type { DumpLoad, PackLoad, ResetPlan } from "./types.ts";

/** A reset that is asked for, and what is known of its database. */
export interface ResetQuestion {
  readonly settings: Settings;
  readonly reset: Omit<Reset, "load"> & { readonly load: ResetLoadQuestion };
  /** What there is on the server of the names concerned. */
  readonly found: ReadonlyMap<string, FoundDatabase>;
  /** Newest applied version of the database in use. */
  readonly versionBefore: string | undefined;
  /** That of the database that shall come back. */
  readonly versionOfKept: string | undefined;
  /** Version that the new one shall have. */
  readonly wanted: string;
  /** All versions, oldest first. */
  readonly order: readonly string[];
}

/** As in the configuration; for those who name no dump but want one: the newest whole one. */
interface ResetLoadQuestion {
  readonly dump: string | { readonly newest: true } | undefined;
  readonly salvage: string | undefined;
  readonly tables: readonly string[] | undefined;
}

/** Where dumps and packs of the stack are. */
export function resetPlace(settings: Settings): DumpPlace {
  return ownPlace(stackNames(settings).postgres, ownCluster(settings).backup.repository);
}

/** Works out a reset, or refuses it with nothing stopped. Reads only. */
export async function planReset(question: ResetQuestion): Promise<ResetPlan> {
  const { settings, reset, found, wanted, order, versionBefore } = question;
  const { database, keepAs } = reset;
  const current = found.get(database);
  if (current === undefined)
    throw refuseReset(
      "RESET_IMPOSSIBLE",
      `there is no database ${database} yet.`,
      "Take rollback:reset out; `pulumi up` makes it.",
    );
  if (found.has(keepAs))
    throw refuseReset(
      "RESET_NAME_TAKEN",
      `a database ${keepAs} exists already, and no reset of ${database} has kept it under that name.`,
      "Choose another name:  rollback:reset.keepAs;  npx rollback reset --keep-as",
    );
  const common = { database, keepAs, keptBytes: current.bytes, versionBefore, tables: reset.load.tables };
  if (reset.back !== undefined) return { ...common, ...backPlan(question, reset.back) };
  const successor = freshName(database);
  const inTheWay = found.get(successor);
  if (inTheWay !== undefined && !isHalfMade(inTheWay))
    throw refuseReset(
      "RESET_IMPOSSIBLE",
      `a database ${successor} exists that no reset has left.`,
      `Rename it:  ALTER DATABASE ${successor} RENAME TO …`,
    );
  const place = resetPlace(settings);
  const { dump: asked, salvage, tables } = reset.load;
  const dump =
    asked === undefined
      ? undefined
      : limited(
          await dumpToLoad(place, {
            ...{ stack: stackNames(settings).network, database, tracking: await trackingOf(question) },
            dump: typeof asked === "string" ? asked : undefined,
          }),
          tables,
        );
  if (dump !== undefined) refuseNewer(dump, wanted, order, database);
  const pack = salvage === undefined ? undefined : await packToLoad(place, database, salvage, tables);
  refuseUnknownTables(tables, dump, pack);
  refuseWithoutRoom(bytesNeeded(dump, pack), Number(await shellIn(place, freeScript, [dataFolder])));
  const migrations = order.slice(0, order.indexOf(wanted) + 1);
  return { kind: "anew", ...common, successor, version: wanted, migrations, dump, pack };
}

function backPlan(
  { settings, reset, found, wanted, versionOfKept }: ResetQuestion,
  back: string,
): Pick<ResetPlan, "kind" | "successor" | "version" | "migrations" | "dump" | "pack"> {
  if (found.get(back)?.comment !== keptMark(stackLabel(settings), reset.database))
    throw refuseReset(
      "RESET_KEPT_GONE",
      found.has(back)
        ? `${back} was not kept by a reset of ${reset.database} of this stack.`
        : `there is no database ${back}.`,
      "Name a database that a reset has kept:  rollback:reset.back;  npx rollback reset --back",
    );
  if (versionOfKept !== wanted)
    throw refuseReset(
      "RESET_SCHEMA",
      `${back} has schema ${versionOfKept ?? "0"}, and the live release wants ${wanted}.`,
      `Make a release live that runs on ${versionOfKept ?? "0"}, in the same \`up\`:  rollback:live`,
    );
  return { kind: "back", successor: back, version: wanted, migrations: [], dump: undefined, pack: undefined };
}

async function trackingOf({ settings, reset }: ResetQuestion): Promise<string> {
  const entry = settings.databases.get(reset.database);
  return entry === undefined ? "" : (await layoutReader(entry)).trackingTable.table;
}

/** The tables of a dump that were asked for. */
function limited(dump: DumpLoad, tables: readonly string[] | undefined): DumpLoad {
  if (tables === undefined) return dump;
  const wanted = new Set(tables.map(qualified));
  return { ...dump, tables: dump.tables.filter(({ table }) => wanted.has(table)) };
}

async function packToLoad(
  place: DumpPlace,
  database: string,
  name: string,
  tables: readonly string[] | undefined,
): Promise<PackLoad> {
  const packs = await listPacks(place);
  const pack = packs.find((each) => each.name === name);
  if (pack === undefined || !pack.databases.includes(database))
    throw refuseReset(
      "RESET_SOURCE_MISSING",
      `there is no salvage pack ${name} with rows of ${database}. There are: ${packs.map((each) => each.name).join(", ") || "none"}.`,
      "Name another:  npx rollback salvage list",
    );
  const wanted = tables === undefined ? undefined : new Set(tables.map(qualified));
  const rows = chosen(await readPack(place, pack, database), { tables: undefined, key: new Map() });
  return { name, rows: rows.filter(({ table }) => wanted?.has(qualified(table)) ?? true) };
}

function refuseUnknownTables(
  tables: readonly string[] | undefined,
  dump: DumpLoad | undefined,
  pack: PackLoad | undefined,
): void {
  if (tables === undefined || (dump === undefined && pack === undefined)) return;
  const there = new Set([
    ...(dump?.tables ?? []).map(({ table }) => table),
    ...(pack?.rows ?? []).map(({ table }) => qualified(table)),
  ]);
  const unknown = tables.filter((table) => !there.has(qualified(table)));
  if (unknown.length === 0) return;
  throw refuseReset(
    "RESET_TABLES_UNKNOWN",
    `neither dump nor pack has rows of ${unknown.map((table) => tableSql(table)).join(", ")}.`,
    "Correct the names; partitions are named one by one, as they are dumped:  rollback:reset.load.tables;  npx rollback reset --table",
  );
}
