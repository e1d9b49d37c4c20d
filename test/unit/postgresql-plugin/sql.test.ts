import assert from "node:assert/strict";
import fc from "fast-check";
import { loadModule, parseSync } from "libpg-query";
import type { Properties } from "../../../toolchain/postgresql-plugin/model.ts";
import { createDatabase } from "../../../toolchain/postgresql-plugin/sql/database.ts";
import {
  assertConsistent,
  grantStatement,
  revokeStatement,
} from "../../../toolchain/postgresql-plugin/sql/grant.ts";
import { areAsWanted, assertAllowed } from "../../../toolchain/postgresql-plugin/sql/privileges.ts";
import {
  identifier,
  literal,
  parseIdentifierList,
  routine,
} from "../../../toolchain/postgresql-plugin/sql/quote.ts";
import { alterRole, createRole, roleSettings } from "../../../toolchain/postgresql-plugin/sql/role.ts";
import { md5Password, storedPassword } from "../../../toolchain/postgresql-plugin/sql/scram.ts";

const role: Properties = {
  name: "r",
  connectionLimit: -1,
  encryptedPassword: true,
  inherit: true,
  validUntil: "infinity",
  login: true,
};
const sql = (statements: readonly { readonly sql: string }[]) => statements.map((one) => one.sql);

describe("quoting", () => {
  before(loadModule);

  it("makes any text one identifier and one literal for PostgreSQL's own parser", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, unit: "grapheme" }).filter((text) => !text.includes("\0")),
        (text) => {
          const tree = JSON.stringify(parseSync(`SELECT ${literal(text)} AS ${identifier(text)}`));
          // The parser cuts names at 63 bytes.
          const name = Buffer.byteLength(text) < 64 ? text : undefined;
          assert.ok(tree.includes(`"sval":${JSON.stringify(text)}`), tree);
          if (name !== undefined) assert.ok(tree.includes(`"name":${JSON.stringify(name)}`), tree);
        },
      ),
    );
  });
  it("quotes a function's name and leaves its argument types", () => {
    assert.equal(
      routine("mean(numeric(5,2), double precision[])"),
      '"mean"(numeric(5,2), double precision[])',
    );
    assert.equal(routine("now"), '"now"');
  });
  it("refuses a signature that could end the statement", () => {
    assert.throws(() => routine("f(int); DROP TABLE t; --)"), /not a function's name or signature/u);
  });
  it("reads a search path", () => {
    assert.deepEqual(parseIdentifierList('"$user", public, "a ""b"", c"'), ["$user", "public", 'a "b", c']);
    assert.deepEqual(parseIdentifierList(""), []);
  });
});

describe("passwords", () => {
  it("become the verifier that PostgreSQL would store", () => {
    // Salt and verifier as PostgreSQL 17 stored them for this password.
    const salt = Buffer.from("hBCk8K+yKna1VOZhw3jy2Q==", "base64");
    assert.equal(
      storedPassword("pencil", salt),
      "SCRAM-SHA-256$4096:hBCk8K+yKna1VOZhw3jy2Q==$fXn/dYUL2HO1CGEMT3FDE/8NwWaWTSS5gjWNWsakTbc=:LavuncMb8JiqltjYT4krDO7QLYCl44qXdxCroHVIU/E=",
    );
  });
  it("that are hashes already, or not plain ASCII, are sent as they are", () => {
    for (const password of [`md5${"0".repeat(32)}`, "SCRAM-SHA-256$4096:a$b:c", "Grüße"]) {
      assert.equal(storedPassword(password), password);
    }
  });
  it("have their MD5 form with the role's name", () => {
    assert.equal(md5Password("secret", "joe"), "md5c59ec932d911ffdf487595b5a2adf973");
  });
});

describe("CREATE ROLE and ALTER ROLE", () => {
  it("say everything at creation and never the password", () => {
    const statement = createRole({ ...role, password: "it's me" });
    assert.doesNotMatch(statement, /it's|it''s/u);
    assert.match(
      statement,
      /^CREATE ROLE "r" WITH PASSWORD 'SCRAM-SHA-256\$.*' VALID UNTIL 'infinity' CONNECTION LIMIT -1 NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT LOGIN NOBYPASSRLS NOREPLICATION$/u,
    );
  });
  it("say only what changed later, the new name first", () => {
    const news = { ...role, name: "s", login: false, assumeRole: "owner", statementTimeout: 5 };
    assert.deepEqual(sql(alterRole(role, news)), [
      'ALTER ROLE "r" RENAME TO "s"',
      'ALTER ROLE "s" WITH NOLOGIN',
      'ALTER ROLE "s" SET search_path TO DEFAULT',
      'ALTER ROLE "s" SET statement_timeout TO 5',
      'ALTER ROLE "s" SET ROLE TO "owner"',
    ]);
  });
  it("set the password again with a new name, since an MD5 hash contains it", () => {
    const statements = sql(alterRole({ ...role, password: "p" }, { ...role, name: "s", password: "p" }));
    assert.match(statements[1] ?? "", /^ALTER ROLE "s" PASSWORD 'SCRAM/u);
  });
  it("take a setting back when it is no longer given", () => {
    const olds = { ...role, assumeRole: "owner", statementTimeout: 5 };
    assert.deepEqual(sql(roleSettings(role, olds)), [
      'ALTER ROLE "r" SET search_path TO DEFAULT',
      'ALTER ROLE "r" RESET statement_timeout',
      'ALTER ROLE "r" RESET ROLE',
    ]);
  });
  it("set a write-only password only with a new version", () => {
    const olds = { ...role, passwordWoVersion: "1" };
    const same = sql(alterRole(olds, { ...role, passwordWo: "p", passwordWoVersion: "1" }));
    const other = sql(alterRole(olds, { ...role, passwordWo: "p", passwordWoVersion: "2" }));
    assert.ok(!same.some((one) => one.includes("PASSWORD")));
    assert.ok(other.some((one) => one.includes("PASSWORD")));
  });
});

describe("CREATE DATABASE", () => {
  it("has the official defaults", () => {
    assert.equal(
      createDatabase({ name: "d", allowConnections: true, connectionLimit: -1 }, "postgres"),
      `CREATE DATABASE "d" OWNER "postgres" TEMPLATE "template0" ENCODING 'UTF8' ALLOW_CONNECTIONS true CONNECTION LIMIT -1 IS_TEMPLATE false`,
    );
  });
  it("knows DEFAULT as a word", () => {
    const statement = createDatabase(
      { name: "d", template: "DEFAULT", lcCollate: "default", tablespaceName: "fast" },
      "postgres",
    );
    assert.match(statement, /TEMPLATE DEFAULT ENCODING 'UTF8' LC_COLLATE DEFAULT TABLESPACE "fast"/u);
  });
});

describe("GRANT and REVOKE", () => {
  const base = { role: "a b", database: "d", schema: "s", privileges: ["SELECT", "INSERT"] };
  for (const [objectType, more, grants, revokes] of [
    [
      "database",
      {},
      'GRANT SELECT,INSERT ON DATABASE "d" TO "a b"',
      'REVOKE ALL PRIVILEGES ON DATABASE "d" FROM "a b"',
    ],
    [
      "schema",
      {},
      'GRANT SELECT,INSERT ON SCHEMA "s" TO "a b"',
      'REVOKE ALL PRIVILEGES ON SCHEMA "s" FROM "a b"',
    ],
    [
      "table",
      {},
      'GRANT SELECT,INSERT ON ALL TABLES IN SCHEMA "s" TO "a b"',
      'REVOKE ALL PRIVILEGES ON ALL TABLES IN SCHEMA "s" FROM "a b"',
    ],
    [
      "table",
      { objects: ["t", 'u"v'] },
      'GRANT SELECT,INSERT ON TABLE "s"."t", "s"."u""v" TO "a b"',
      'REVOKE SELECT,INSERT ON TABLE "s"."t", "s"."u""v" FROM "a b"',
    ],
    [
      "function",
      { objects: ["f(int)"], privileges: ["EXECUTE"] },
      'GRANT EXECUTE ON FUNCTION "s"."f"(int) TO "a b"',
      'REVOKE EXECUTE ON FUNCTION "s"."f"(int) FROM "a b"',
    ],
    [
      "column",
      { objects: ["t"], columns: ["c"], privileges: ["SELECT"] },
      'GRANT SELECT ("c") ON TABLE "s"."t" TO "a b"',
      'REVOKE SELECT ("c") ON TABLE "s"."t" FROM "a b"',
    ],
    [
      "foreign_server",
      { objects: ["x"], privileges: ["USAGE"] },
      'GRANT USAGE ON FOREIGN SERVER "x" TO "a b"',
      'REVOKE ALL PRIVILEGES ON FOREIGN SERVER "x" FROM "a b"',
    ],
  ] as const) {
    it(`reach ${objectType}${"objects" in more ? " by name" : ""}`, () => {
      assert.equal(grantStatement({ ...base, objectType, ...more }), grants);
      assert.equal(revokeStatement({ ...base, objectType, ...more }), revokes);
    });
  }
  it("grant nothing for an empty list, with grant option when asked", () => {
    assert.equal(grantStatement({ ...base, objectType: "schema", privileges: [] }), undefined);
    assert.match(
      grantStatement({ ...base, objectType: "schema", withGrantOption: true }) ?? "",
      / WITH GRANT OPTION$/u,
    );
  });
  for (const [what, grant, message] of [
    ["no schema", { objectType: "table" }, /parameter 'schema' is mandatory/u],
    ["objects of a database", { objectType: "database", objects: ["x"] }, /cannot specify `objects`/u],
    ["columns of a table", { objectType: "table", schema: "s", columns: ["x"] }, /cannot specify `columns`/u],
    ["columns without any", { objectType: "column", schema: "s", objects: ["t"] }, /must specify `columns`/u],
    [
      "two foreign servers",
      { objectType: "foreign_server", objects: ["x", "y"] },
      /one element must be specified/u,
    ],
  ] as const) {
    it(`refuse ${what}`, () => assert.throws(() => assertConsistent(grant), message));
  }
  it("take only privileges that the type of object has", () => {
    assert.throws(() => assertAllowed(["SELECT; DROP TABLE t"], "table", 17), /not an allowed privilege/u);
    assert.throws(() => assertAllowed(["MAINTAIN"], "table", 16), /not an allowed privilege/u);
    assert.doesNotThrow(() => assertAllowed(["MAINTAIN", "ALL"], "table", 17));
  });
  it("know what ALL stands for", () => {
    assert.ok(areAsWanted(["USAGE", "CREATE"], ["ALL"], "schema", 17));
    assert.ok(!areAsWanted(["USAGE"], ["ALL"], "schema", 17));
  });
});
