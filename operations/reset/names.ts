/** Names and marks of the databases that a reset makes and keeps. Marks are comments: they change in the same transaction as names. */

/** PostgreSQL's limit; names of databases are ASCII here. */
const longest = 63;

/** Where a database is made anew, beside the one in use. */
export function freshName(database: string): string {
  return `${database.slice(0, longest - "_reset".length)}_reset`;
}

/** Name under which a database is kept when nobody has chosen one. */
export function keptName(database: string, now: Date): string {
  const end = `_until_${now.toISOString().replace(/\..*/, "").replaceAll(/[-:T]/g, "")}`;
  return `${database.slice(0, longest - end.length)}${end}`;
}

/** How the mark of a database begins that is not in use yet. */
export const unfinished = "made by rollback reset, not in use yet";

/** Mark of a new database: only the run that made it may put it in use. */
export function freshMark(run: string): string {
  return `${unfinished} (run ${run})`;
}

/** Mark of a database that was in use until a reset; `stack` is `project/stack`. */
export function keptMark(stack: string, database: string): string {
  return `kept by rollback reset of ${database} (${stack})`;
}
