import { step } from "../errors.ts";
import type { Existing, Properties, ResourceType, Row, Server, Session } from "../model.ts";
import { asMemberOf, firstText, grantMembership, revokeMembership } from "../sql/membership.ts";
import { identifier, parseIdentifierList } from "../sql/quote.ts";
import { alterRole, createRole, roleSettings, type Statement } from "../sql/role.ts";
import { md5Password } from "../sql/scram.ts";
import { asSet, flag, text, texts } from "../values.ts";

/** `postgresql:index/role:Role`. */
export const role: ResourceType = {
  token: "postgresql:index/role:Role",
  properties: {
    assumeRole: { kind: "string" },
    bypassRowLevelSecurity: { kind: "boolean", default: false },
    connectionLimit: { kind: "integer", default: -1, minimum: -1 },
    createDatabase: { kind: "boolean", default: false },
    createRole: { kind: "boolean", default: false },
    encrypted: { kind: "string", deprecated: true },
    encryptedPassword: { kind: "boolean", default: true },
    idleInTransactionSessionTimeout: { kind: "integer", minimum: 0 },
    inherit: { kind: "boolean", default: true },
    login: { kind: "boolean", default: false },
    name: { kind: "string", required: true, autonamed: true },
    password: { kind: "string", secret: true, conflictsWith: ["passwordWo", "passwordWoVersion"] },
    passwordWo: { kind: "string", secret: true, writeOnly: true, requires: "passwordWoVersion" },
    passwordWoVersion: { kind: "string", requires: "passwordWo" },
    replication: { kind: "boolean", default: false },
    roles: { kind: "set" },
    searchPaths: { kind: "list" },
    skipDropRole: { kind: "boolean", default: false },
    skipReassignOwned: { kind: "boolean", default: false },
    statementTimeout: { kind: "integer", minimum: 0 },
    superuser: { kind: "boolean", default: false },
    validUntil: { kind: "string", default: "infinity" },
  },

  async create(server, planned) {
    const name = text(planned, "name");
    await server.change(null, async (session) => {
      await step(`error creating role ${name}`, () => session.query(createRole(planned)));
      await grantRoles(session, planned);
      await run(session, roleSettings(planned));
    });
    return afterwards(server, name, planned);
  },

  async read(server, id, state) {
    return server.look(null, (session) => readRole(session, server, text(state, "name") || id, state));
  },

  async update(server, _id, olds, planned) {
    const name = text(planned, "name");
    await server.change(null, async (session) => {
      const statements = alterRole(olds, planned);
      await run(session, statements);
      await revokeRoles(session, name);
      await grantRoles(session, planned);
    });
    return afterwards(server, name, planned);
  },

  async delete(server, _id, state) {
    const name = text(state, "name");
    await server.change(null, async (session) => {
      if (!flag(state, "skipReassignOwned")) await reassignOwned(session, server, name);
      if (flag(state, "skipDropRole")) return;
      await step(`could not delete role ${name}`, () => session.query(`DROP ROLE ${identifier(name)}`));
    });
  },
};

async function run(session: Session, statements: readonly Statement[]): Promise<void> {
  for (const { sql, failure } of statements) await step(failure, () => session.query(sql));
}

async function grantRoles(session: Session, planned: Properties): Promise<void> {
  const name = text(planned, "name");
  for (const granted of texts(planned, "roles")) {
    await step(`could not grant role ${granted} to ${name}`, () =>
      session.query(grantMembership(granted, name)),
    );
  }
}

/**
 * Takes every membership away before those in `roles` are granted again. The official plugin does so on each update of
 * a role, and a membership from a GrantRole is lost with it until the next refresh; a program must not rely on less.
 */
async function revokeRoles(session: Session, name: string): Promise<void> {
  const rows = await session.query(
    "SELECT pg_get_userbyid(m.roleid) AS role FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = $1",
    [name],
  );
  for (const row of rows) {
    const granted = String(row["role"]);
    await step(`could not revoke role ${granted} from ${name}`, () =>
      session.query(revokeMembership(granted, name)),
    );
  }
}

async function reassignOwned(session: Session, server: Server, name: string): Promise<void> {
  await asMemberOf(session, [name], async () => {
    await step(`could not reassign owned by role ${name} to ${server.user}`, () =>
      session.query(`REASSIGN OWNED BY ${identifier(name)} TO ${identifier(server.user)}`),
    );
    await step(`could not drop owned by role ${name}`, () =>
      session.query(`DROP OWNED BY ${identifier(name)}`),
    );
  });
}

/** The role as it is after a change; lists that were not given stay null. */
async function afterwards(server: Server, name: string, planned: Properties): Promise<Existing> {
  const found = await server.look(null, (session) => readRole(session, server, name, planned));
  if (found === undefined) throw new Error(`role ${name} is gone right after the change`);
  const { roles = null, searchPaths = null, ...rest } = found.properties;
  return {
    id: name,
    properties: {
      ...rest,
      roles: isEmpty(roles) ? (planned["roles"] ?? null) : roles,
      searchPaths: isEmpty(searchPaths) ? (planned["searchPaths"] ?? null) : searchPaths,
    },
  };
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

const roleQuery = `SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls,
    rolconnlimit, coalesce(rolvaliduntil::text, 'infinity') AS validuntil, coalesce(rolconfig, '{}') AS config,
    ARRAY(SELECT pg_get_userbyid(roleid)::text FROM pg_auth_members WHERE member = r.oid) AS roles
  FROM pg_roles r WHERE rolname = $1`;

async function readRole(
  session: Session,
  server: Server,
  name: string,
  state: Properties,
): Promise<Existing | undefined> {
  const [row] = await step("error reading ROLE", () => session.query(roleQuery, [name]));
  if (row === undefined) return undefined;
  const password = text(state, "password");
  const canLogin = row["rolcanlogin"] === true;
  return {
    id: name,
    properties: {
      ...attributes(row),
      ...(password === "" || !canLogin || !server.superuser
        ? {}
        : { password: await knownPassword(session, server, name, password) }),
    },
  };
}

function attributes(row: Row): Properties {
  const settings = new Map(
    strings(row["config"]).map((entry) => {
      const equals = entry.indexOf("=");
      return [entry.slice(0, equals), entry.slice(equals + 1)] as const;
    }),
  );
  return {
    name: String(row["rolname"]),
    superuser: row["rolsuper"] === true,
    inherit: row["rolinherit"] === true,
    createRole: row["rolcreaterole"] === true,
    createDatabase: row["rolcreatedb"] === true,
    login: row["rolcanlogin"] === true,
    replication: row["rolreplication"] === true,
    bypassRowLevelSecurity: row["rolbypassrls"] === true,
    connectionLimit: Number(row["rolconnlimit"]),
    validUntil: String(row["validuntil"]),
    encryptedPassword: true,
    roles: asSet(strings(row["roles"])),
    searchPaths: parseIdentifierList(settings.get("search_path") ?? ""),
    assumeRole: settings.get("role") ?? "",
    statementTimeout: milliseconds(settings.get("statement_timeout")),
    idleInTransactionSessionTimeout: milliseconds(settings.get("idle_in_transaction_session_timeout")),
  };
}

/**
 * The password for the state. A SCRAM verifier cannot be compared with a plain password by the official plugin, so the
 * one in the state stays; a vanished one shows as empty.
 */
async function knownPassword(
  session: Session,
  server: Server,
  name: string,
  password: string,
): Promise<string> {
  const [me] = await session.query("SELECT rolsuper FROM pg_roles WHERE rolname = current_user");
  if (me?.["rolsuper"] !== true) {
    throw new Error(
      `could not read role password from Postgres as connected user ${server.user} is not a SUPERUSER. You can set ` +
        "`superuser = false` in the provider configuration so it will not try to read the password from Postgres",
    );
  }
  const stored = await firstText(session, "SELECT passwd FROM pg_shadow WHERE usename = $1", [name]);
  if (stored === undefined) return "";
  const plain = !/^(md5|SCRAM-SHA-256)/u.test(password);
  const same = stored.startsWith("SCRAM-SHA-256") || stored === md5Password(password, name);
  return plain && same ? password : stored;
}

function milliseconds(value: string | undefined): number {
  const number = Number(value ?? 0);
  if (!Number.isInteger(number))
    throw new Error(`error reading statement_timeout: ${value} is not in milliseconds`);
  return number;
}

function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
