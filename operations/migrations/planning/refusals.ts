import { Refusal } from "../../../settings/refusal.ts";
import type { LayoutReader } from "../layouts/layout.ts";
import { position } from "../order.ts";
import { beforeFirst, emptyVersion, none } from "../plan.ts";
import type { DatabaseRequest } from "../plan.ts";

/** The version wanted, normalised. Throws Refusal `SCHEMA_UNKNOWN_VERSION`. */
export function knownVersion(
  { observed, wanted, files, reader }: DatabaseRequest,
  order: readonly string[],
): string {
  const normal = reader.normalise(wanted);
  if (normal !== undefined && (order.includes(normal) || normal === beforeFirst)) return normal;
  if (wanted === none) return emptyVersion(order);
  const newest = order.at(-1);
  throw new Refusal({
    code: "SCHEMA_UNKNOWN_VERSION",
    found: `the schema version ${wanted} of ${observed.database} is neither among the ${files.length} migrations nor applied${newest === undefined ? "" : `; the newest known is ${newest}`}.`,
    untouched: "Nothing was stopped or changed.",
    next: "Correct `schema` of the release in rollback:releases, or add the migration.",
  });
}

/** Refuses `SCHEMA_DIRTY`: another tool stopped half-way. */
export function refuseDirty(database: string, dirty: readonly string[], reader: LayoutReader): void {
  const [version] = dirty;
  if (version === undefined) return;
  const { schema, table } = reader.trackingTable;
  throw new Refusal({
    code: "SCHEMA_DIRTY",
    found: `${database} ${version} was begun and not finished by another tool (${schema}.${table}).`,
    untouched: "Nothing was stopped or changed.",
    next: `Find out what of it is there, finish or undo it by hand, then correct its row in ${schema}.${table}.`,
  });
}

/** Refuses `SCHEMA_GAP`: an older migration is missing where the layout does not allow it. */
export function refuseGap(
  { observed, reader }: DatabaseRequest,
  order: readonly string[],
  missing: readonly string[],
  kept: readonly string[],
): void {
  if (reader.outOfOrder) return;
  if (missing.length === 0) return;
  const head = kept.map((version) => position(order, version)).reduce((a, b) => Math.max(a, b), -1);
  const gaps = missing.filter((version) => position(order, version) < head);
  if (gaps.length === 0) return;
  throw new Refusal({
    code: "SCHEMA_GAP",
    found: `${observed.database} has ${order[head] ?? ""} applied, but not the older ${gaps.join(", ")}.`,
    untouched: "Nothing was stopped or changed.",
    next: "Apply or record the missing ones by hand, or give the late migration a number behind the newest.",
  });
}

/** `SCHEMA_EDITED`: the file of an applied migration is another now. */
export function editedRefusal(database: string, version: string, file: string): Refusal {
  return new Refusal({
    code: "SCHEMA_EDITED",
    found: `${file} was edited after ${database} ${version} was applied, so a schema built from the files is not the one that runs.`,
    untouched: "Nothing was stopped or changed.",
    next: `Put the file back (SELECT up FROM rollback.migration WHERE version = '${version}' AND state = 'applied'), and make the change a new migration.`,
  });
}
