import { Refusal } from "../../../settings/refusal.ts";
import { difference } from "../difference.ts";
import type { LayoutReader } from "../layouts/layout.ts";
import { note } from "../plan.ts";
import type { PlanNote } from "../plan.ts";
import { classOf, stepOf } from "../steps.ts";
import type { Step } from "../steps.ts";
import type { LedgerRow, Migration, StepClass } from "../types.ts";

/**
 * The step that takes a migration back: with the stored SQL, or the file's where none is stored. Adds to `notes`. Throws
 * Refusals `SCHEMA_NO_REVERSAL` and `SCHEMA_NOOP_REVERSAL` and those of `understand`.
 */
export function reverseStep(
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
