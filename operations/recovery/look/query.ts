import { z } from "zod";
import { Refusal } from "../../../settings/refusal.ts";
import { docker, DockerFailure } from "../../docker/run.ts";

/** How `psql` is started in an instance; what it reads comes in over standard input. */
export function psqlCommand(container: string, database: string, options: readonly string[]): string[] {
  return [
    ...["exec", "-i", "-u", "postgres", container, "psql", "-X", "-v", "ON_ERROR_STOP=1"],
    ...["-d", database, ...options],
  ];
}

/** Runs SQL in an instance over its socket, and returns what psql printed. What PostgreSQL refuses is a Refusal `LOOK_QUERY`. */
export async function runSql(
  container: string,
  database: string,
  sql: string,
  options: readonly string[] = [],
): Promise<string> {
  try {
    return await docker(psqlCommand(container, database, options), { input: sql, timeoutMs: 24 * 3600_000 });
  } catch (error) {
    if (!(error instanceof DockerFailure) || !/^psql:|ERROR:/m.test(error.stderr)) throw error;
    throw new Refusal({
      code: "LOOK_QUERY",
      found: `PostgreSQL on ${container} says: ${error.stderr.replaceAll(/^psql:<stdin>:\d+: /gm, "").trim()}`,
      untouched: "The instance is read-only and stays as it is.",
      next: /lock timeout/.test(error.stderr)
        ? "A transaction that was under way then holds a table of the query; look at a moment before it, or leave the table out."
        : "Correct the query.",
      cause: error,
    });
  }
}

/** Rows of one SELECT, parsed with `schema`. */
export async function selectRows<T extends z.ZodType>(
  container: string,
  database: string,
  schema: T,
  select: string,
): Promise<z.output<T>[]> {
  const wrapped = `select coalesce(json_agg(row_to_json(t)), '[]') from (\n${select.trim().replace(/;$/, "")}\n) t`;
  const printed = await runSql(container, database, wrapped, ["-q", "-At"]);
  return z.array(schema).parse(JSON.parse(printed));
}

/** Whether a database exists on an instance. */
export async function hasDatabase(container: string, name: string): Promise<boolean> {
  const select = "select datname as name from pg_database";
  const rows = await selectRows(container, "postgres", z.object({ name: z.string() }), select);
  return rows.some((row) => row.name === name);
}
