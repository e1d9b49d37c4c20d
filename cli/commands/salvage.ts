import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import { ownPlace } from "../../operations/backup/place.ts";
import { ownCluster } from "../../operations/recovery/look/session.ts";
import {
  chosen,
  chosenChanges,
  listPacks,
  readPack,
  readPackedChanges,
  type Pack,
  type PackedChange,
  type RowFilter,
} from "../../operations/recovery/pack.ts";
import { replay as replayRows, type Replayed } from "../../operations/recovery/replay.ts";
import type { SalvagedRow } from "../../operations/recovery/salvaged.ts";
import { Refusal } from "../../settings/refusal.ts";
import { stackNames } from "../../settings/stack-names.ts";
import type { Settings } from "../../settings/types.ts";
import { asOperator, databaseNamed } from "../databases.ts";
import { aboutStack, readStack, type StackOptions } from "../stack.ts";
import { keyOption, tableOption } from "../values.ts";

interface SalvageOptions extends StackOptions {
  readonly pack?: string;
  readonly table?: readonly string[];
  readonly key?: ReadonlyMap<string, string>;
  readonly changes: boolean;
  readonly overwrite: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
}

/** `rollback salvage …`: what recoveries left out and kept, and writing chosen rows of it again. */
export function salvage(program: Command): void {
  const group = program
    .command("salvage")
    .description("rows that recoveries left out and kept: list, show, write again");
  aboutStack(group.command("list"))
    .description("the packs, newest first")
    .option("--json", "one JSON document on stdout", false)
    .action(async ({ json, ...stack }: SalvageOptions) => {
      const { settings } = await readStack(stack);
      const packs = await listPacks(placeOf(settings));
      const lines = packs.map(({ name, at, databases }) => `${name}  ${at}  ${databases.join(", ")}`);
      console.log(json ? JSON.stringify(packs, undefined, 2) : lines.join("\n") || "there are none");
    });
  choosing(group.command("show <database>"))
    .description("rows of a pack")
    .option("--changes", "every change as it happened, where they were on record", false)
    .action(async (database: string, options: SalvageOptions) => {
      const { settings } = await readStack(options);
      if (options.changes) {
        const changes = await changesOf(settings, database, options);
        console.log(options.json ? JSON.stringify(changes, undefined, 2) : shownChanges(changes));
        return;
      }
      const { rows } = await rowsOf(settings, database, options);
      console.log(options.json ? JSON.stringify(rows, undefined, 2) : shown(rows));
    });
  choosing(group.command("replay <database>"))
    .description("write rows of a pack again, in one transaction; what was written since the recovery stays")
    .option("--overwrite", "also over what was written since", false)
    .option("--dry-run", "tell what would happen, change nothing", false)
    .action(async (database: string, options: SalvageOptions) => {
      const { overwrite, dryRun, json } = options;
      const { settings } = await readStack(options);
      const { pack, rows } = await rowsOf(settings, database, options);
      const result = await asOperator(settings, database, (client) =>
        replayRows(client, rows, { run: randomUUID(), pack: pack.name, overwrite, dryRun }),
      );
      console.log(json ? JSON.stringify({ dryRun, tables: result }, undefined, 2) : text(result, dryRun));
      if (result.some(({ conflicts }) => conflicts.length > 0)) process.exitCode = 1;
    });
}

function choosing(command: Command): Command {
  return aboutStack(command)
    .option("--pack <name>", "which pack; default: the newest")
    .option(
      "--table <name>",
      "only rows of this table; several: again",
      (name: string, before?: readonly string[]) => [...(before ?? []), tableOption(name)],
    )
    .option("--key <column=value>", "only rows with this value; several columns: again", keyOption)
    .option("--json", "one JSON document on stdout", false);
}

async function rowsOf(
  settings: Settings,
  database: string,
  options: SalvageOptions,
): Promise<{ readonly pack: Pack; readonly rows: SalvagedRow[] }> {
  const pack = await packOf(settings, options);
  const rows = await readPack(placeOf(settings), pack, databaseNamed(settings, database).name);
  return { pack, rows: chosen(rows, filterOf(options)) };
}

async function changesOf(
  settings: Settings,
  database: string,
  options: SalvageOptions,
): Promise<PackedChange[]> {
  const pack = await packOf(settings, options);
  const changes = await readPackedChanges(placeOf(settings), pack, databaseNamed(settings, database).name);
  return chosenChanges(changes, filterOf(options));
}

async function packOf(settings: Settings, { pack: name }: SalvageOptions): Promise<Pack> {
  const packs = await listPacks(placeOf(settings));
  const pack = name === undefined ? packs[0] : packs.find((each) => each.name === name);
  if (pack !== undefined) return pack;
  throw new Refusal({
    code: "SALVAGE_UNKNOWN",
    found: name === undefined ? "no recovery of this stack has kept anything." : `there is no pack ${name}.`,
    untouched: "Nothing was changed.",
    next: "npx rollback salvage list",
  });
}

function filterOf({ table, key }: SalvageOptions): RowFilter {
  return {
    tables: table?.map((each) => (each.includes(".") ? each : `public.${each}`)),
    key: key ?? new Map(),
  };
}

function placeOf(settings: Settings): ReturnType<typeof ownPlace> {
  return ownPlace(stackNames(settings).postgres, ownCluster(settings).backup.repository);
}

function shown(rows: readonly SalvagedRow[]): string {
  return rows
    .map(({ table, change, row }) => `${change === "write" ? "+" : "-"} ${table} ${JSON.stringify(row)}`)
    .join("\n");
}

function shownChanges(changes: readonly PackedChange[]): string {
  return changes
    .map(({ at, xid, table, change, old, row, unchanged }) =>
      [
        ...[at, xid, table, change],
        ...(old === undefined ? [] : [JSON.stringify(old), ...(row === undefined ? [] : ["→"])]),
        ...(row === undefined ? [] : [JSON.stringify(row)]),
        ...(unchanged === undefined ? [] : [`(${unchanged.join(", ")} as before)`]),
      ].join(" "),
    )
    .join("\n");
}

function text(result: readonly Replayed[], dryRun: boolean): string {
  const lines = result.flatMap(({ table, inserted, updated, deleted, same, conflicts }) => [
    `${dryRun ? "would: " : ""}${table}: ${inserted} inserted, ${updated} updated, ${deleted} deleted, ${same} as they are, ${conflicts.length} conflicts`,
    ...conflicts.slice(0, 20).map((key) => `  written since the recovery: ${JSON.stringify(key)}`),
  ]);
  return lines.join("\n") || "no rows fit";
}
