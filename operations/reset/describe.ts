import { qualified } from "../recovery/find/find.ts";
import { resetReason } from "./reason.ts";
import type { DumpLoad, PackLoad, ResetPlan } from "./types.ts";

/** Lines for preview and the beginning of `up`, and for the command: what is kept, what is applied, what is loaded. Pure. */
export function describeReset(plan: ResetPlan): string[] {
  const { kind, database, keepAs, keptBytes, successor, version } = plan;
  return [
    `${resetReason(plan)}, at schema ${version}; the one in use (${megabytes(keptBytes)}) is kept as ${keepAs}, and what was written to it stays there only`,
    ...(kind === "back" ? [] : [`applies to ${successor} ${migrations(plan)}`]),
    ...(plan.dump === undefined ? [] : dumpLines(plan.dump)),
    ...(plan.pack === undefined ? [] : packLines(plan.pack)),
    ...(kind === "anew" && plan.dump === undefined && plan.pack === undefined
      ? [`WARNING: no rows are loaded; ${database} will hold what its migrations insert`]
      : []),
    kind === "back"
      ? "requests wait while the names are changed"
      : "everybody goes on working while it is made and loaded; requests wait while the names are changed",
  ];
}

function migrations({ migrations: all, dump }: ResetPlan): string {
  const [first = "", last = ""] = [all[0], all.at(-1)];
  const range = `${all.length} migrations, ${first} to ${last}`;
  return dump === undefined || dump.version === last ? range : `${range}; rows come after ${dump.version}`;
}

/** The largest tables; a long list helps nobody. */
const most = 20;

function dumpLines({ name, tables }: DumpLoad): string[] {
  const filled = tables.filter(({ rows }) => rows > 0).toSorted((one, other) => other.bytes - one.bytes);
  const sum = (key: "rows" | "bytes"): number => filled.reduce((total, table) => total + table[key], 0);
  return [
    `loads ${sum("rows")} rows (${megabytes(sum("bytes"))}) of ${filled.length} tables from the dump ${name}, which was read in full`,
    ...filled
      .slice(0, most)
      .map(({ table, rows, bytes }) => `  ${plainName(table)}: ${rows} rows, ${megabytes(bytes)}`),
    ...(filled.length > most ? [`  and ${filled.length - most} smaller tables`] : []),
  ];
}

function packLines({ name, rows }: PackLoad): string[] {
  const tables = [...new Set(rows.map(({ table }) => table))];
  const count = (table: string, change: "write" | "delete"): number =>
    rows.filter((row) => row.table === table && row.change === change).length;
  return [
    `writes ${rows.length} rows of the salvage pack ${name} over them`,
    ...tables.map(
      (table) =>
        `  ${plainName(qualified(table))}: ${count(table, "write")} written, ${count(table, "delete")} deleted`,
    ),
  ];
}

/** Without quotes where none are needed. */
function plainName(table: string): string {
  return table.replaceAll(/"([a-z_][a-z0-9_]*)"/g, "$1");
}

function megabytes(bytes: number): string {
  return bytes < 100_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
