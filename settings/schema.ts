/** Which schema version each database should be at, and which releases run on it: pure functions over a known migration order. */
import { Refusal } from "./refusal.ts";
import type { Release, Settings } from "./types.ts";

/** Per database its schema versions, oldest first: what the migrations folder and the ledger know together. */
export type MigrationOrder = ReadonlyMap<string, readonly string[]>;

/**
 * Per database the newest version that a live release wants; every other live release must run on it.
 * A stack with one live release needs no order. Throws a Refusal `LIVE_INCOMPATIBLE` when an older live release does not run
 * on that version, `SCHEMA_UNKNOWN_VERSION` when a version has no place in the order.
 */
export function wantedSchema(
  settings: Pick<Settings, "live" | "releases" | "databases">,
  order: MigrationOrder,
): ReadonlyMap<string, string> {
  const live = settings.live.map(({ release }) => known(settings.releases, release));
  return new Map([...settings.databases.keys()].map((database) => [database, newest(live, database, order)]));
}

/** Whether a release runs on `version` of a database: the one it wants, or one within its `compatible` range by position. */
export function fitsSchema(
  release: Pick<Release, "schema" | "compatible">,
  database: string,
  version: string,
  order: MigrationOrder,
): boolean {
  if (release.schema.get(database) === version) return true;
  const range = release.compatible.get(database);
  if (range === undefined) return false;
  if (range.from === version || range.to === version) return true;
  const versions = order.get(database) ?? [];
  const [at, from, to] = [version, range.from, range.to].map((each) => position(each, versions));
  return at !== undefined && from !== undefined && to !== undefined && from <= at && at <= to;
}

function newest(live: readonly Release[], database: string, order: MigrationOrder): string {
  const wanted = [...new Set(live.map((release) => wantedBy(release, database)))];
  const [only, ...others] = wanted;
  if (only === undefined) throw new Error("no release is live; the configuration was not validated");
  const version = others.length === 0 ? only : latest(wanted, database, order);
  const unfit = live.filter((release) => !fitsSchema(release, database, version, order));
  if (unfit.length > 0) throw incompatible(live, unfit, database, version);
  return version;
}

function latest(wanted: readonly string[], database: string, order: MigrationOrder): string {
  const versions = order.get(database) ?? [];
  const unknown = wanted.filter((version) => position(version, versions) === undefined);
  if (unknown.length > 0) {
    throw new Refusal({
      code: "SCHEMA_UNKNOWN_VERSION",
      found: `several releases are live, and schema version ${unknown.join(" and ")} of ${database} is not among its migrations (${versions.join(", ") || "none"}), so the newest cannot be told.`,
      untouched: "Nothing was changed.",
      next: `Correct rollback:releases.*.schema.${database}, or add the migration to the folder of rollback:databases.${database}.`,
    });
  }
  const place = (version: string) => position(version, versions) ?? -1;
  return wanted.reduce((one, other) => (place(other) > place(one) ? other : one));
}

/** Place of a version, undefined when it has none; "0" is the empty schema before the first migration. */
function position(version: string, versions: readonly string[]): number | undefined {
  if (version === "0") return -1;
  const at = versions.indexOf(version);
  return at < 0 ? undefined : at;
}

function incompatible(
  live: readonly Release[],
  unfit: readonly Release[],
  database: string,
  version: string,
): Refusal {
  const wish = (release: Release) => {
    const range = release.compatible.get(database);
    const also =
      range === undefined
        ? "nothing else"
        : range.from === range.to
          ? range.from
          : `${range.from}..${range.to}`;
    return `${release.name} wants ${wantedBy(release, database)} and also runs on ${also}`;
  };
  const names = unfit.map((release) => release.name).join(", ");
  return new Refusal({
    code: "LIVE_INCOMPATIBLE",
    found: `with ${live.map((release) => release.name).join(" and ")} live, ${database} would be at ${version}, which does not suit ${names}: ${unfit.map(wish).join("; ")}.`,
    untouched: "Nothing was changed.",
    next: `Take ${names} off rollback:live, or, if it really runs on ${version}, say so in its \`compatible: { ${database}: … }\`.`,
  });
}

function wantedBy(release: Release, database: string): string {
  const version = release.schema.get(database);
  if (version === undefined)
    throw new Error(
      `release ${release.name} names no schema of ${database}; the configuration was not validated`,
    );
  return version;
}

function known(releases: ReadonlyMap<string, Release>, name: string): Release {
  const release = releases.get(name);
  if (release === undefined)
    throw new Error(`release ${name} is not in the catalogue; the configuration was not validated`);
  return release;
}
