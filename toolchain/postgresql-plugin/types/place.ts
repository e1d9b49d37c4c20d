import type { Properties, Server } from "../model.ts";
import { databaseExists, exists, roleExists } from "../sql/membership.ts";
import { text } from "../values.ts";

/** Whether the database, the role and (where it matters) the schema of a grant are still there; without them it is gone. */
export async function placeExists(server: Server, state: Properties, withSchema: boolean): Promise<boolean> {
  const database = text(state, "database");
  const role = text(state, "role");
  const schema = text(state, "schema");
  const there = await server.look(
    null,
    async (session) =>
      (await databaseExists(session, database)) && (role === "public" || (await roleExists(session, role))),
  );
  if (!there || !withSchema || schema === "") return there;
  return server.look(database, (session) =>
    exists(session, "SELECT 1 FROM pg_namespace WHERE nspname = $1", [schema]),
  );
}
