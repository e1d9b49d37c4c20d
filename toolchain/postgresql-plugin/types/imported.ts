import { OperationFailed } from "../errors.ts";
import type { Properties, Server } from "../model.ts";
import { text } from "../values.ts";

/** Where something lies that is named `database.name`: from the state, or from the id when it is being imported. */
export function databaseAndName(
  what: "schema" | "extension",
  server: Server,
  id: string,
  state: Properties,
): { readonly database: string; readonly name: string } {
  const name = text(state, "name");
  if (name !== "") return { database: text(state, "database") || server.database, name };
  const [database = "", imported = "", ...rest] = id.split(".");
  if (database === "" || imported === "" || rest.length > 0) {
    throw new OperationFailed(`${what} ID ${id} has not the expected format 'database.${what}'`);
  }
  return { database, name: imported };
}
