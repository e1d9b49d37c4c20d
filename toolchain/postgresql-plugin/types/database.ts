import { step } from "../errors.ts";
import type { Existing, Properties, ResourceType, Server, Session } from "../model.ts";
import {
  createDatabase,
  databaseOption,
  databaseOwner,
  databaseTablespace,
  renameDatabase,
} from "../sql/database.ts";
import { asMemberOf, firstText } from "../sql/membership.ts";
import { identifier } from "../sql/quote.ts";
import { flag, integer, text } from "../values.ts";

/** `postgresql:index/database:Database`. */
export const database: ResourceType = {
  token: "postgresql:index/database:Database",
  properties: {
    allowConnections: { kind: "boolean", default: true },
    alterObjectOwnership: { kind: "boolean", default: false },
    connectionLimit: { kind: "integer", default: -1, minimum: -1 },
    encoding: { kind: "string", computed: true, replace: true },
    isTemplate: { kind: "boolean", computed: true },
    lcCollate: { kind: "string", computed: true, replace: true },
    lcCtype: { kind: "string", computed: true, replace: true },
    name: { kind: "string", required: true, autonamed: true },
    owner: { kind: "string", computed: true },
    tablespaceName: { kind: "string", computed: true },
    template: { kind: "string", computed: true, replace: true },
  },

  async create(server, planned) {
    const name = text(planned, "name");
    await server.changeAlone((session) =>
      asMemberOf(session, present(text(planned, "owner")), () =>
        step(`error creating database ${JSON.stringify(name)}`, () =>
          session.query(createDatabase(planned, server.user)),
        ),
      ),
    );
    return afterwards(server, name, planned);
  },

  read: (server, id, state) => readDatabase(server, text(state, "name") || id, state),

  async update(server, _id, olds, planned) {
    const name = text(planned, "name");
    await server.changeAlone((session) => rename(session, text(olds, "name"), name));
    if (flag(planned, "alterObjectOwnership") && text(planned, "owner") !== "") {
      await reassign(server, name, planned);
    }
    await server.changeAlone(async (session) => {
      await handOver(session, olds, planned);
      await alter(session, olds, planned);
    });
    return afterwards(server, name, planned);
  },

  async delete(server, _id, state) {
    const name = text(state, "name");
    await server.changeAlone((session) =>
      asMemberOf(session, present(text(state, "owner")), async () => {
        if (flag(state, "isTemplate")) {
          await step("error updating database IS_TEMPLATE during DROP DATABASE", () =>
            session.query(databaseOption(name, "IS_TEMPLATE", false)),
          );
        }
        await step("error dropping database", () =>
          session.query(`DROP DATABASE ${identifier(name)} WITH (FORCE)`),
        );
      }),
    );
  },
};

async function rename(session: Session, from: string, to: string): Promise<void> {
  if (from === to) return;
  await step("error updating database name", () => session.query(renameDatabase(from, to)));
}

async function alter(session: Session, olds: Properties, planned: Properties): Promise<void> {
  const name = text(planned, "name");
  const change = (failure: string, sql: string) =>
    step(`error updating database ${failure}`, () => session.query(sql));
  if (text(olds, "tablespaceName") !== text(planned, "tablespaceName")) {
    await change("TABLESPACE", databaseTablespace(name, text(planned, "tablespaceName")));
  }
  const limit = integer(planned, "connectionLimit");
  if (integer(olds, "connectionLimit") !== limit) {
    await change("CONNECTION LIMIT", databaseOption(name, "CONNECTION LIMIT", limit));
  }
  for (const [property, option] of [
    ["allowConnections", "ALLOW_CONNECTIONS"],
    ["isTemplate", "IS_TEMPLATE"],
  ] as const) {
    const wanted = flag(planned, property);
    if (flag(olds, property) !== wanted) await change(option, databaseOption(name, option, wanted));
  }
}

async function handOver(session: Session, olds: Properties, planned: Properties): Promise<void> {
  const owner = text(planned, "owner");
  if (owner === "" || owner === text(olds, "owner")) return;
  await asMemberOf(session, [owner], () =>
    step("error updating database OWNER", () => session.query(databaseOwner(text(planned, "name"), owner))),
  );
}

/** Gives what the database's owner of now has in it to the new owner. */
async function reassign(server: Server, name: string, planned: Properties): Promise<void> {
  const owner = text(planned, "owner");
  await server.change(name, async (session) => {
    const current = await firstText(
      session,
      "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = $1",
      [name],
    );
    if (current === undefined || current === owner) return;
    await asMemberOf(session, [current, owner], () =>
      step(`error reassigning objects owned by '${current}'`, () =>
        session.query(`REASSIGN OWNED BY ${identifier(current)} TO ${identifier(owner)}`),
      ),
    );
  });
}

async function afterwards(server: Server, name: string, planned: Properties): Promise<Existing> {
  const found = await readDatabase(server, name, planned);
  if (found === undefined) throw new Error(`database ${name} is gone right after the change`);
  return found;
}

const databaseQuery = `SELECT d.datname, pg_get_userbyid(d.datdba)::text AS owner, pg_encoding_to_char(d.encoding)::text AS encoding,
    d.datcollate, d.datctype, t.spcname, d.datconnlimit, d.datallowconn, d.datistemplate
  FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = $1`;

async function readDatabase(server: Server, name: string, state: Properties): Promise<Existing | undefined> {
  const [row] = await server.look(null, (session) =>
    step("error reading database", () => session.query(databaseQuery, [name])),
  );
  if (row === undefined) return undefined;
  return {
    id: name,
    properties: {
      name,
      owner: String(row["owner"]),
      encoding: String(row["encoding"]),
      lcCollate: String(row["datcollate"]),
      lcCtype: String(row["datctype"]),
      tablespaceName: String(row["spcname"]),
      connectionLimit: Number(row["datconnlimit"]),
      allowConnections: row["datallowconn"] === true,
      isTemplate: row["datistemplate"] === true,
      // The server does not record it.
      template: text(state, "template") || "template0",
    },
  };
}

function present(role: string): readonly string[] {
  return role === "" ? [] : [role];
}
