import type { Client } from "pg";
import { withClient } from "../operations/database/connection.ts";
import { applicationName, operatorAccess } from "../operations/plan/access.ts";
import { Refusal } from "../settings/refusal.ts";
import type { Database, Settings } from "../settings/types.ts";

/** A database of the stack by its name. Throws `DATABASE_UNKNOWN`. */
export function databaseNamed(settings: Settings, name: string): Database {
  const database = settings.databases.get(name);
  if (database !== undefined) return database;
  throw new Refusal({
    code: "DATABASE_UNKNOWN",
    found: `the stack has no database ${name}; it has ${[...settings.databases.keys()].join(", ")}.`,
    untouched: "Nothing was done.",
    next: "Name one of rollback:databases.",
  });
}

/** Connects to a database of the stack as the operator, for the time of `work`. */
export function asOperator<T>(
  settings: Settings,
  name: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const { name: database } = databaseNamed(settings, name);
  return withClient(operatorAccess(settings), database, work, {
    applicationName: applicationName(settings),
  });
}
