import { Refusal } from "../../settings/refusal.ts";
import type { LayoutReader } from "./layouts/layout.ts";
import { difference } from "./difference.ts";
import { applicationOrder, migrationOrder, position } from "./order.ts";
import { appliedOf } from "./layouts/layout.ts";
import { classOf, stepOf, verification } from "./steps.ts";
import type { Step } from "./steps.ts";
import type { Boundary, LedgerRow, Migration, Observed, StepClass, TrackedRow, Verify } from "./types.ts";

/** Something a person should know that does not stop the plan. */
export interface PlanNote {
  readonly code: string;
  readonly text: string;
}

/** An applied migration that the ledger does not hold yet: taken over with the file's texts. */
export interface Adoption {
  readonly migration: Migration;
  readonly class: StepClass;
}

/** What is going to happen in one database. */
export interface DatabasePlan {
  readonly database: string;
  /** Role that owns the application's objects and that the SQL runs as. */
  readonly owner: string;
  readonly reader: LayoutReader;
  /** The newest applied version now, undefined: none; and afterwards. */
  readonly from: string | undefined;
  readonly to: string;
  /** Applied versions in their order. */
  readonly applied: readonly string[];
  /** Rows of the tracking table that the plan was made for; the transaction refuses to start from others. */
  readonly tracked: readonly TrackedRow[];
  /** Whether the tool's tracking table has to be made. */
  readonly createTracking: boolean;
  readonly adopt: readonly Adoption[];
  /** Ledger rows whose migrations are no longer applied: somebody else reversed them. */
  readonly gone: readonly LedgerRow[];
  /** Reversals newest first, or forward steps oldest first. */
  readonly steps: readonly Step[];
  /** Fingerprint that the catalogue must have after the reversal; undefined: not known (adopted, never proven). */
  readonly expected: string | undefined;
  /** What a reversal has to pass: the verify script of the version gone back to, as it was stored; undefined: it has none. */
  readonly verify?: Verify | undefined;
  /** Whether an earlier run recorded the catalogue, so that changes by hand can be told. */
  readonly recorded: boolean;
  /** A step outside of a transaction that an earlier run left half-way: finished, or given up where nothing of it is done. */
  readonly boundary?: Boundary;
  /** Partitions that its first step finishes detaching, with their schemas; see `detach.ts`. */
  readonly halfDetached?: readonly string[] | undefined;
  readonly notes: readonly PlanNote[];
}

/** The version of an empty schema, before the first migration; `position` gives -1 for it. */
export const beforeFirst = "0";

/** The same where a migration has the number 0, which `beforeFirst` would mean. */
export const none = "none";

/** What to call the version before the first migration. */
export function emptyVersion(order: readonly string[]): string {
  return order.includes(beforeFirst) ? none : beforeFirst;
}

export interface DatabaseRequest {
  readonly files: readonly Migration[];
  readonly observed: Observed;
  /** Version wanted, normalised or as written in the configuration. */
  readonly wanted: string;
  readonly owner: string;
  readonly reader: LayoutReader;
  /** `up`: takes nothing back; `down`: applies nothing; undefined: whatever leads to the version. */
  readonly way?: Way | undefined;
}

/** A course that does not turn: where a migration is late, going to a version may need both directions. */
export type Way = "up" | "down";

/**
 * The plan for one database, from what its files, its tracking table and its ledger say. Pure; needs `loadParser()`.
 * Throws Refusals `SCHEMA_DIRTY`, `SCHEMA_UNKNOWN_VERSION`, `SCHEMA_GAP`, `SCHEMA_EDITED`, `SCHEMA_NO_REVERSAL`,
 * `SCHEMA_NOOP_REVERSAL` and those of `understand`.
 */
export function planDatabase(request: DatabaseRequest): DatabasePlan {
  const { files, observed, owner, reader } = request;
  const { database } = observed;
  const tracked = observed.tracked ?? [];
  refuseDirty(
    database,
    tracked.filter((row) => !row.success).map((row) => row.version),
    reader,
  );
  const ledger = new Map((observed.ledger ?? []).map((row) => [row.version, row]));
  const fileOf = new Map(files.map((file) => [file.version, file]));
  const { order, applied } = standingOf(request);
  const wanted = knownVersion(request, order);
  const isApplied = new Set(applied);

  const notes: PlanNote[] = [];
  const gone = [...ledger.values()].filter((row) => !isApplied.has(row.version));
  for (const row of gone) {
    notes.push(
      note(
        "SCHEMA_GONE",
        `${database} ${row.version} (${row.name}) was reversed by something else; the ledger will say so.`,
      ),
    );
  }
  const at = (version: string) => position(order, version);
  const course = applicationOrder(applied, ledger);
  const leaving =
    request.way === "up" ? [] : course.filter((version) => at(version) > at(wanted)).toReversed();
  const missing =
    request.way === "down"
      ? []
      : order.filter((version) => at(version) <= at(wanted) && !isApplied.has(version));
  const kept = applied.filter((version) => at(version) <= at(wanted));
  refuseGap(request, order, missing, kept);

  const edited = applied.filter((version) => {
    const [row, file] = [ledger.get(version), fileOf.get(version)];
    return row !== undefined && file !== undefined && row.checksum !== file.checksum;
  });
  for (const version of edited) {
    const text = `${database} ${version}: the file is not what was applied; what was stored when it was applied counts.${difference(ledger.get(version)?.up, fileOf.get(version)?.up)}`;
    if (missing.length > 0) throw editedRefusal(database, version, fileOf.get(version)?.file ?? "");
    notes.push(note("SCHEMA_EDITED", text));
  }
  notes.push(...editedBeforeAdoption(database, tracked, fileOf, ledger));
  for (const version of applied) {
    if (fileOf.has(version)) continue;
    const where = ledger.has(version) ? "its reversal is in the ledger" : "and the ledger does not hold it";
    notes.push(note("SCHEMA_FILE_GONE", `${database} ${version} is applied, its file is gone; ${where}.`));
  }

  const reverse = leaving.map((version) =>
    reverseStep(database, version, ledger.get(version), fileOf.get(version), notes, reader),
  );
  const forward = missing.map((version) => {
    const file = fileOf.get(version);
    if (file === undefined)
      throw new Error(`${database} ${version} is in the order without being applied or a file`);
    return forwardStep(database, file);
  });
  const adopt = applied.flatMap((version): Adoption[] => {
    const file = fileOf.get(version);
    return file === undefined || ledger.has(version)
      ? []
      : [{ migration: file, class: classOf(database, file) }];
  });
  for (const step of [...reverse, ...forward]) {
    notes.push(...step.script.notes.map((text) => note("SCHEMA_ADJUSTED", `${step.where}: ${text}`)));
  }
  const oldest = leaving.at(-1);
  const goneBackTo =
    oldest === undefined ? undefined : course.findLast((version) => !leaving.includes(version));
  // Where something applied later stays, no catalogue of the past is the one that the reversal leads to.
  const lastOnes = leaving.toReversed().join() === course.slice(course.length - leaving.length).join();
  return {
    database,
    owner,
    reader,
    from: applied.toSorted((a, b) => at(a) - at(b)).at(-1),
    to: wanted,
    applied,
    tracked,
    createTracking: observed.tracked === undefined && forward.length > 0,
    adopt,
    gone,
    steps: [...reverse, ...forward],
    expected: oldest === undefined || !lastOnes ? undefined : ledger.get(oldest)?.fingerprintBefore,
    ...verifyOf(database, goneBackTo, ledger, fileOf),
    recorded: observed.ledger !== undefined,
    ...(observed.boundary === undefined ? {} : { boundary: observed.boundary }),
    notes,
  };
}

/** The script that was stored when the version was applied counts; of an adopted one from before its file had one, the file's. */
function verifyOf(
  database: string,
  version: string | undefined,
  ledger: ReadonlyMap<string, LedgerRow>,
  fileOf: ReadonlyMap<string, Migration>,
): Pick<DatabasePlan, "verify"> {
  if (version === undefined) return {};
  const sql = ledger.get(version)?.verify ?? fileOf.get(version)?.verify ?? "";
  const statements = verification(sql, `${database} ${version} (verify)`);
  return statements.length === 0 ? {} : { verify: { version, statements } };
}

/** All known versions in their order, and those of them that are applied. */
export function standingOf({
  files,
  observed,
  reader,
}: Pick<DatabaseRequest, "files" | "observed" | "reader">): { order: string[]; applied: string[] } {
  const tracked = observed.tracked ?? [];
  const inLedger = (observed.ledger ?? []).map((row) => row.version);
  const order = migrationOrder(files, knownApplied(tracked, inLedger, reader), reader);
  return { order, applied: appliedOf(tracked, order) };
}

/** Whether carrying the plan out would change anything, the ledger included. */
export function hasWork(plan: DatabasePlan): boolean {
  return (
    plan.steps.length > 0 || plan.adopt.length > 0 || plan.gone.length > 0 || plan.boundary !== undefined
  );
}

/** Whether a database's transaction may be prepared, as far as the statements tell. */
export function isPreparable(plan: DatabasePlan): boolean {
  return plan.steps.every((step) =>
    step.script.statements.every((statement) => statement.notPreparable === undefined),
  );
}

function reverseStep(
  database: string,
  version: string,
  row: LedgerRow | undefined,
  file: Migration | undefined,
  notes: PlanNote[],
  reader: LayoutReader,
): Step {
  const name = row?.name ?? file?.name ?? "";
  let down = row?.down;
  let source: Step["source"] = "ledger";
  if (down === undefined && file?.down !== undefined) {
    source = "file";
    down = file.down;
    const why =
      row === undefined ? "it was applied by something else" : "none was stored when it was applied";
    notes.push(
      note(
        "SCHEMA_REVERSAL_FROM_FILE",
        `${database} ${version}: the reversal comes from the file, as ${why}.`,
      ),
    );
  } else if (row !== undefined && file?.down !== undefined && file.down !== down) {
    notes.push(
      note(
        "SCHEMA_REVERSAL_EDITED",
        `${database} ${version}: the reversal in the file is not the stored one; the stored one is used.${difference(down, file.down)}`,
      ),
    );
  }
  if (down === undefined) {
    throw new Refusal({
      code: "SCHEMA_NO_REVERSAL",
      found: `${database} ${version}${name === "" ? "" : ` (${name})`} has no stored reversal.`,
      untouched: "Nothing was stopped or changed.",
      next: `Draft one:  npx rollback draft ${database} ${version}\n${placeFor(reader, file)}: it is used where none is stored.\nThen run \`pulumi up\` again.`,
    });
  }
  const step = stepOf({ direction: "reverse", database, version, name, sql: down, source });
  const upClass = row?.class ?? (file === undefined ? "opaque" : classOf(database, file));
  const reversal: Step = {
    ...step,
    class: reversalClass(upClass, step.class),
    ...(row === undefined ? {} : { ledgerId: row.id }),
  };
  if (reversal.class === "no-op" && upClass !== "no-op") {
    throw new Refusal({
      code: "SCHEMA_NOOP_REVERSAL",
      found: `the reversal of ${database} ${version} (${name}) contains no statement, while the migration does.`,
      untouched: "Nothing was stopped or changed.",
      next: `Write the reversal into the migrations folder; for a migration that is applied already, also into\ncolumn down of rollback.migration in ${database}. Then run \`pulumi up\` again.`,
    });
  }
  return reversal;
}

/** Where a reversal is to be written, as a sentence without its end. */
function placeFor(reader: LayoutReader, file: Migration | undefined): string {
  if (file === undefined) return "Or put the migration's file back into the folder, with its reversal";
  const { file: place, marker } = reader.reversalPlace(file);
  return marker === undefined
    ? `Or write one into ${place} of the migrations folder`
    : `Or write one into ${place} of the migrations folder, behind a line ${marker}`;
}

/** What a reversal amounts to, given what the migration did. */
export function reversalClass(up: StepClass, down: StepClass): StepClass {
  if (down === "no-op" || down === "opaque") return down;
  if (up === "destroys data" || up === "structure only") return "structure only";
  return down;
}

/** What another tool applied from a file that is no longer the same, by the checksums that it keeps itself. */
function editedBeforeAdoption(
  database: string,
  tracked: readonly TrackedRow[],
  fileOf: ReadonlyMap<string, Migration>,
  ledger: ReadonlyMap<string, LedgerRow>,
): PlanNote[] {
  return tracked.flatMap(({ version, recorded }) => {
    const file = fileOf.get(version);
    const same = recorded === undefined || file?.recorded === undefined || recorded === file.recorded;
    if (same || ledger.has(version)) return [];
    const text = `${database} ${version}: ${file.file} is not what was applied, by the checksum that its tool recorded; it is taken over as it is now.`;
    return [note("SCHEMA_ADOPTED_EDITED", text)];
  });
}

/** Versions with rows, and where a row stands for all before it, those before it that only the ledger knows. */
function knownApplied(
  tracked: readonly TrackedRow[],
  inLedger: readonly string[],
  { compare }: Pick<LayoutReader, "compare">,
): string[] {
  const rows = tracked.map((row) => row.version);
  const newest = tracked.find((row) => row.upTo === true)?.version;
  if (newest === undefined || compare === undefined) return rows;
  return [...inLedger.filter((version) => compare(version, newest) <= 0), ...rows];
}

function forwardStep(database: string, file: Migration): Step {
  if (file.foreign !== undefined) {
    throw new Refusal({
      code: "MIGRATION_FOREIGN",
      found: `${database} ${file.version} (${file.file}) cannot be run by this program: ${file.foreign}.`,
      untouched: "Nothing was changed.",
      next: "Apply it with its own tool, then run `pulumi up` again; or write it as plain SQL.",
    });
  }
  const step = stepOf({
    direction: "forward",
    database,
    version: file.version,
    name: file.name,
    sql: file.up,
    source: "file",
  });
  const verify = verification(file.verify ?? "", `${database} ${file.version} (verify)`);
  return { ...step, migration: file, ...(verify.length === 0 ? {} : { verify }) };
}

function knownVersion(
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

function refuseDirty(database: string, dirty: readonly string[], reader: LayoutReader): void {
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

function refuseGap(
  { observed, reader }: DatabaseRequest,
  order: readonly string[],
  missing: readonly string[],
  kept: readonly string[],
): void {
  if (reader.outOfOrder) return;
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

function editedRefusal(database: string, version: string, file: string): Refusal {
  return new Refusal({
    code: "SCHEMA_EDITED",
    found: `${file} was edited after ${database} ${version} was applied, so a schema built from the files is not the one that runs.`,
    untouched: "Nothing was stopped or changed.",
    next: `Put the file back (SELECT up FROM rollback.migration WHERE version = '${version}' AND state = 'applied'), and make the change a new migration.`,
  });
}

function note(code: string, text: string): PlanNote {
  return { code, text };
}
