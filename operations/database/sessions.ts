import { withClient, type Server } from "./connection.ts";
import { identifier } from "./query.ts";
import { qualified } from "./tables.ts";

/**
 * Deletes an application's sessions that match the condition of the configuration and returns how many there were.
 * The condition runs as the owner of the database, never as a role with more rights, and in a transaction of its own.
 */
export async function clearSessions(
  operator: Server,
  database: string,
  owner: string,
  { table, where }: { readonly table: string; readonly where: string },
): Promise<number> {
  return withClient(operator, database, async (client) => {
    await client.query("BEGIN");
    await client.query(`SET LOCAL ROLE ${identifier(owner)}`);
    const { rowCount } = await client.query(`DELETE FROM ${qualified(table)} WHERE ${where}`);
    await client.query("COMMIT");
    return rowCount ?? 0;
  });
}
