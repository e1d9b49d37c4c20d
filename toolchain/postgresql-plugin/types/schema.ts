import { OperationFailed, step } from "../errors.ts";
import type { Existing, Properties, ResourceType, Server, Session } from "../model.ts";
import { asMemberOf, databaseExists, exists, firstText } from "../sql/membership.ts";
import { identifier } from "../sql/quote.ts";
import { flag, text } from "../values.ts";
import { databaseAndName } from "./imported.ts";

/** `postgresql:index/schema:Schema`. */
export const schema: ResourceType = {
  token: "postgresql:index/schema:Schema",
  properties: {
    database: { kind: "string", computed: true, replace: true },
    dropCascade: { kind: "boolean", default: false },
    ifNotExists: { kind: "boolean", default: true },
    name: { kind: "string", required: true, autonamed: true },
    owner: { kind: "string", computed: true },
  },
  refused: { policies: "use a Grant with objectType `schema`, as the official documentation says." },
  constants: { policies: [] },

  async create(server, planned) {
    const where = text(planned, "database") || server.database;
    await server.change(where, async (session) => {
      const databaseOwner = await firstText(
        session,
        "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = current_database()",
        [],
      );
      const roles = [databaseOwner ?? "", text(planned, "owner")].filter((name) => name !== "");
      await asMemberOf(session, roles, () => create(session, planned));
    });
    return afterwards(server, where, text(planned, "name"));
  },

  async read(server, id, state) {
    const { database, name } = databaseAndName("schema", server, id, state);
    return readSchema(server, database, name);
  },

  async update(server, _id, olds, planned) {
    const where = text(planned, "database") || server.database;
    const name = text(planned, "name");
    const owner = text(planned, "owner");
    await server.change(where, async (session) => {
      if (text(olds, "name") !== name) {
        await step("error updating schema NAME", () =>
          session.query(`ALTER SCHEMA ${identifier(text(olds, "name"))} RENAME TO ${identifier(name)}`),
        );
      }
      if (text(olds, "owner") !== owner) await setOwner(session, name, owner);
    });
    return afterwards(server, where, name);
  },

  async delete(server, _id, state) {
    const name = text(state, "name");
    await server.change(text(state, "database") || server.database, async (session) => {
      if (!(await schemaExists(session, name))) return;
      await asMemberOf(session, [text(state, "owner")], () =>
        step("error deleting schema", () =>
          session.query(
            `DROP SCHEMA ${identifier(name)} ${flag(state, "dropCascade") ? "CASCADE" : "RESTRICT"}`,
          ),
        ),
      );
    });
  },
};

/** An existing schema is taken over, whatever `ifNotExists` says: so does the official plugin. */
async function create(session: Session, planned: Properties): Promise<void> {
  const name = text(planned, "name");
  const owner = text(planned, "owner");
  if (await schemaExists(session, name)) {
    if (owner !== "") await setOwner(session, name, owner);
    return;
  }
  const guard = flag(planned, "ifNotExists") ? "IF NOT EXISTS " : "";
  const authorization = owner === "" ? "" : ` AUTHORIZATION ${identifier(owner)}`;
  await step(`error creating schema ${name}`, () =>
    session.query(`CREATE SCHEMA ${guard}${identifier(name)}${authorization}`),
  );
}

async function setOwner(session: Session, name: string, owner: string): Promise<void> {
  if (owner === "") throw new OperationFailed("error setting schema owner to an empty string");
  await step("error updating schema OWNER", () =>
    session.query(`ALTER SCHEMA ${identifier(name)} OWNER TO ${identifier(owner)}`),
  );
}

function schemaExists(session: Session, name: string): Promise<boolean> {
  return exists(session, "SELECT 1 FROM pg_namespace WHERE nspname = $1", [name]);
}

async function afterwards(server: Server, where: string, name: string): Promise<Existing> {
  const found = await readSchema(server, where, name);
  if (found === undefined) throw new Error(`schema ${name} is gone right after the change`);
  return found;
}

async function readSchema(server: Server, where: string, name: string): Promise<Existing | undefined> {
  if (!(await server.look(null, (session) => databaseExists(session, where)))) return undefined;
  const owner = await server.look(where, (session) =>
    step("error reading schema", () =>
      firstText(session, "SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = $1", [
        name,
      ]),
    ),
  );
  if (owner === undefined) return undefined;
  return { id: `${where}.${name}`, properties: { database: where, name, owner } };
}
