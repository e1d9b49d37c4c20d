import type { ConnectionOptions, Server } from "./connection.ts";
import { withClient } from "./connection.ts";
import { identifier, inTransaction } from "./query.ts";
import { qualified } from "./tables.ts";

/**
 * Deletes the application's login sessions that match, as the database's owner: the condition comes from the configuration and
 * must not run with more rights than the application has.
 * @returns how many there were.
 */
export async function clearSessions(
  server: Server,
  database: string,
  owner: string,
  { table, where }: { readonly table: string; readonly where: string },
  options: ConnectionOptions = {},
): Promise<number> {
  return withClient(
    server,
    database,
    (client) =>
      inTransaction(client, async () => {
        await client.query(`set local role ${identifier(owner)}`);
        await client.query("set local lock_timeout = '5s'");
        // A named statement: the protocol for those takes no second one behind it.
        const text = `delete from ${qualified(table)} where (${where}\n)`;
        const { rowCount } = await client.query({ name: "clear-sessions", text });
        return rowCount ?? 0;
      }),
    options,
  );
}
