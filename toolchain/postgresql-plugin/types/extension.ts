import { OperationFailed, step } from "../errors.ts";
import type { Existing, Properties, ResourceType, Server } from "../model.ts";
import { databaseExists } from "../sql/membership.ts";
import { identifier } from "../sql/quote.ts";
import { flag, text } from "../values.ts";
import { databaseAndName } from "./imported.ts";

/** `postgresql:index/extension:Extension`. */
export const extension: ResourceType = {
  token: "postgresql:index/extension:Extension",
  properties: {
    createCascade: { kind: "boolean", default: false },
    database: { kind: "string", computed: true, replace: true },
    dropCascade: { kind: "boolean", default: false },
    name: { kind: "string", required: true, replace: true, autonamed: true },
    schema: { kind: "string", computed: true },
    version: { kind: "string", computed: true },
  },

  async create(server, planned) {
    const where = text(planned, "database") || server.database;
    await server.change(where, (session) => session.query(createExtension(planned)));
    return afterwards(server, where, text(planned, "name"));
  },

  async read(server, id, state) {
    const { database, name } = databaseAndName("extension", server, id, state);
    return readExtension(server, database, name);
  },

  async update(server, _id, olds, planned) {
    const where = text(planned, "database") || server.database;
    const name = text(planned, "name");
    const schema = text(planned, "schema");
    const version = text(planned, "version");
    await server.change(where, async (session) => {
      if (text(olds, "schema") !== schema) {
        if (schema === "") throw new OperationFailed("error setting extension schema to an empty string");
        await step("error updating extension SCHEMA", () =>
          session.query(`ALTER EXTENSION ${identifier(name)} SET SCHEMA ${identifier(schema)}`),
        );
      }
      if (text(olds, "version") !== version) {
        const to = version === "" ? "" : ` TO ${identifier(version)}`;
        await step("error updating extension version", () =>
          session.query(`ALTER EXTENSION ${identifier(name)} UPDATE${to}`),
        );
      }
    });
    return afterwards(server, where, name);
  },

  async delete(server, _id, state) {
    const mode = flag(state, "dropCascade") ? "CASCADE" : "RESTRICT";
    await server.change(text(state, "database") || server.database, (session) =>
      session.query(`DROP EXTENSION ${identifier(text(state, "name"))} ${mode}`),
    );
  },
};

/** `CREATE EXTENSION IF NOT EXISTS`: one that is there is taken over as it is. */
export function createExtension(planned: Properties): string {
  const schema = text(planned, "schema");
  const version = text(planned, "version");
  return [
    `CREATE EXTENSION IF NOT EXISTS ${identifier(text(planned, "name"))}`,
    ...(schema === "" ? [] : [`SCHEMA ${identifier(schema)}`]),
    ...(version === "" ? [] : [`VERSION ${identifier(version)}`]),
    ...(flag(planned, "createCascade") ? ["CASCADE"] : []),
  ].join(" ");
}

async function afterwards(server: Server, where: string, name: string): Promise<Existing> {
  const found = await readExtension(server, where, name);
  if (found === undefined) throw new Error(`extension ${name} is gone right after the change`);
  return found;
}

async function readExtension(server: Server, where: string, name: string): Promise<Existing | undefined> {
  if (!(await server.look(null, (session) => databaseExists(session, where)))) return undefined;
  const [row] = await server.look(where, (session) =>
    step("error reading extension", () =>
      session.query(
        "SELECT n.nspname, e.extversion FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = $1",
        [name],
      ),
    ),
  );
  if (row === undefined) return undefined;
  return {
    id: `${where}.${name}`,
    properties: {
      database: where,
      name,
      schema: String(row["nspname"]),
      version: String(row["extversion"]),
    },
  };
}
