import Table from "cli-table3";

/** One line of the verification's table. */
export interface Check {
  /** e.g. `smoke meal-planner 1.2.0`. */
  readonly what: string;
  readonly found: string;
  /** Empty: fine. */
  readonly wrong: readonly string[];
}

/** The table that `pulumi up` prints. */
export function checkTable(checks: readonly Check[]): string {
  const table = new Table({
    head: ["check", "found", ""],
    style: { head: [], border: [], compact: true },
    wordWrap: true,
  });
  for (const { what, found, wrong } of checks)
    table.push([what, found, wrong.length === 0 ? "ok" : `WRONG: ${wrong.join("; ")}`]);
  return table.toString();
}

/** The checks that found something wrong. */
export function failures(checks: readonly Check[]): Check[] {
  return checks.filter(({ wrong }) => wrong.length > 0);
}
