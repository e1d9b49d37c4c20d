import { difference } from "../difference.ts";
import { applicationOrder } from "../order.ts";
import { note, standingOf } from "../plan.ts";
import type { Adoption, DatabasePlan, DatabaseRequest, PlanNote } from "../plan.ts";
import { classOf, stepOf, verification } from "../steps.ts";
import type { Step } from "../steps.ts";
import type { LedgerRow, Migration, TrackedRow } from "../types.ts";
import { Refusal } from "../../../settings/refusal.ts";
import { leftBehind, refuseBrokenChain } from "./chain.ts";
import { editedRefusal, knownVersion, refuseDirty, refuseGap } from "./refusals.ts";
import { reverseStep } from "./reversal.ts";

/**
 * The plan for one database, from what its files, its tracking table and its ledger say. Pure; needs `loadParser()`.
 * Throws Refusals `SCHEMA_DIRTY`, `SCHEMA_UNKNOWN_VERSION`, `SCHEMA_GAP`, `SCHEMA_EDITED`, `SCHEMA_NO_REVERSAL`,
 * `SCHEMA_NOOP_REVERSAL`, `SCHEMA_CHAIN_FAILS` and those of `understand`.
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
  const places = new Map(order.map((version, index) => [version, index]));
  const at = (version: string) => places.get(version) ?? -1;
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
  refuseBrokenChain(database, reverse);
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
  if (request.judge === true) {
    for (const { version, where, script } of reverse) {
      const up = ledger.get(version)?.up ?? fileOf.get(version)?.up;
      const left = up === undefined ? [] : leftBehind(up, script.statements, where);
      if (left.length > 0) notes.push(note("SCHEMA_LEFT_BEHIND", `${where}: it leaves ${left.join(", ")}.`));
    }
  }
  const oldest = leaving.at(-1);
  const goneBackTo =
    oldest === undefined ? undefined : course.findLast((version) => at(version) <= at(wanted));
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
