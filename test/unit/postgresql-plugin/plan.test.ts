import assert from "node:assert/strict";
import { refreshedInputs, importedInputs } from "../../../toolchain/postgresql-plugin/inputs.ts";
import { unknown, type Properties } from "../../../toolchain/postgresql-plugin/model.ts";
import { diff, plan } from "../../../toolchain/postgresql-plugin/plan.ts";
import { database } from "../../../toolchain/postgresql-plugin/types/database.ts";
import { extension } from "../../../toolchain/postgresql-plugin/types/extension.ts";
import { grant } from "../../../toolchain/postgresql-plugin/types/grant.ts";
import { role } from "../../../toolchain/postgresql-plugin/types/role.ts";

const kinds = (found: ReturnType<typeof diff>) =>
  Object.fromEntries(
    [...found.changes].map(([path, { kind, replace }]) => [path, replace ? `${kind}-replace` : kind]),
  );
const granted: Properties = {
  role: "a",
  database: "d",
  objectType: "table",
  schema: "s",
  privileges: ["INSERT", "SELECT"],
  objects: null,
  columns: null,
  withGrantOption: false,
};

describe("plan", () => {
  it("keeps what the server filled in where the program says nothing", () => {
    assert.equal(plan(database, { lcCollate: "C" }, { name: "d" })["lcCollate"], "C");
  });
  it("does not know it before the database exists", () => {
    assert.equal(plan(database, {}, { name: "d" })["lcCollate"], unknown);
  });
  it("sorts sets, and an empty one is none", () => {
    const planned = plan(grant, {}, { ...granted, privileges: ["SELECT", "INSERT", "SELECT"], objects: [] });
    assert.deepEqual(planned["privileges"], ["INSERT", "SELECT"]);
    assert.equal(planned["objects"], null);
  });
  it("leaves write-only values out", () => {
    assert.equal(plan(role, {}, { name: "r", passwordWo: "x", passwordWoVersion: "1" })["passwordWo"], null);
  });
});

describe("diff", () => {
  it("is empty for the same set in another order and for unset values that are zero on the server", () => {
    assert.deepEqual(kinds(diff(grant, granted, { ...granted, privileges: ["SELECT", "INSERT"] })), {});
    assert.deepEqual(
      kinds(
        diff(
          role,
          { name: "r", assumeRole: "", statementTimeout: 0, roles: [], login: false },
          { name: "r" },
        ),
      ),
      {},
    );
  });
  it("names an added element by its place in the program's list and a removed one by its place in the state", () => {
    const news = { ...granted, privileges: ["UPDATE", "SELECT"] };
    assert.deepEqual(kinds(diff(grant, granted, news)), { "privileges[0]": "update" });
    assert.deepEqual(
      kinds(diff(grant, granted, { ...granted, privileges: ["SELECT", "INSERT", "UPDATE"] })),
      {
        "privileges[2]": "add",
      },
    );
    assert.deepEqual(kinds(diff(grant, granted, { ...granted, privileges: ["INSERT"] })), {
      "privileges[1]": "delete",
    });
  });
  it("adds or deletes a set as a whole when it was or becomes empty", () => {
    assert.deepEqual(kinds(diff(grant, { ...granted, privileges: [] }, granted)), { privileges: "add" });
    assert.deepEqual(kinds(diff(grant, granted, { ...granted, privileges: [] })), { privileges: "delete" });
  });
  it("replaces where the official plugin does, a Grant by deleting first", () => {
    const found = diff(grant, granted, { ...granted, role: "b" });
    assert.deepEqual(kinds(found), { role: "update-replace" });
    assert.deepEqual(found.replaces, ["role"]);
    assert.equal(found.deleteBeforeReplace, true);
  });
  it("deletes first as well when the program fixes the name, and not when it was made up", () => {
    const olds = { name: "pg_trgm", database: "a", schema: "public", version: "1.6" };
    const news = { name: "pg_trgm", database: "b" };
    assert.equal(diff(extension, olds, news, { defaults: [] }).deleteBeforeReplace, true);
    assert.equal(diff(extension, olds, news, { defaults: ["name"] }).deleteBeforeReplace, false);
  });
  it("renames a role in place", () => {
    assert.deepEqual(kinds(diff(role, { name: "a" }, { name: "b" })), { name: "update" });
  });
  it("treats an unknown value as a change", () => {
    assert.deepEqual(kinds(diff(grant, granted, { ...granted, database: unknown })), {
      database: "update-replace",
    });
  });
  it("leaves out what is to be ignored", () => {
    const found = diff(role, { name: "r", login: false }, { name: "r", login: true }, { ignored: ["login"] });
    assert.deepEqual(kinds(found), {});
  });
  it("never compares a write-only password, only its version", () => {
    const olds = { name: "r", passwordWoVersion: "1" };
    assert.deepEqual(kinds(diff(role, olds, { name: "r", passwordWo: "new", passwordWoVersion: "1" })), {});
    assert.deepEqual(kinds(diff(role, olds, { name: "r", passwordWo: "new", passwordWoVersion: "2" })), {
      passwordWoVersion: "update",
    });
  });
});

describe("inputs after a refresh", () => {
  it("follow the server only where the program gave or defaulted something; a changed default is none any more", () => {
    const old = {
      values: { name: "r", connectionLimit: -1, inherit: true },
      defaults: ["connectionLimit", "inherit"],
    };
    assert.deepEqual(refreshedInputs(old, { name: "r", connectionLimit: 3, inherit: true, login: true }), {
      values: { name: "r", connectionLimit: 3, inherit: true },
      defaults: ["inherit"],
    });
  });
  it("have no list of defaults when none is left", () => {
    const old = { values: { privileges: ["A"], objects: [] }, defaults: [] };
    assert.deepEqual(refreshedInputs(old, { privileges: [], objects: null }), {
      values: { privileges: [], objects: null },
      defaults: undefined,
    });
  });
  it("do not grow: what was added on the server shows in the outputs", () => {
    const old = { values: { roles: ["a"] }, defaults: [] };
    assert.deepEqual(refreshedInputs(old, { roles: ["a", "b"] }).values, { roles: ["a"] });
  });
});

describe("inputs of an import", () => {
  it("have what is required and what is neither empty nor a default", () => {
    const outputs = {
      name: "r",
      connectionLimit: -1,
      inherit: true,
      login: true,
      createRole: false,
      roles: [],
      assumeRole: "owner",
      password: null,
    };
    assert.deepEqual(importedInputs(role, outputs), {
      values: { name: "r", login: true, assumeRole: "owner" },
      defaults: [],
    });
  });
});
