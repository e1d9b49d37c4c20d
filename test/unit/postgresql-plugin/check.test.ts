import assert from "node:assert/strict";
import { check, type Naming } from "../../../toolchain/postgresql-plugin/check.ts";
import { unknown, type Properties, type ResourceType } from "../../../toolchain/postgresql-plugin/model.ts";
import { resourceTypes } from "../../../toolchain/postgresql-plugin/types/index.ts";

function type(name: string): ResourceType {
  const found = [...resourceTypes.values()].find(({ token }) => token.endsWith(`:${name}`));
  assert.ok(found !== undefined);
  return found;
}
const naming: Naming = { resource: "reader", seed: new Uint8Array([1, 2, 3]) };
const reasons = (name: string, news: Properties) =>
  check(type(name), news, undefined, naming).failures.map(({ property, reason }) => `${property}: ${reason}`);

describe("check", () => {
  it("adds defaults that are neither false nor zero, and lists them", () => {
    assert.deepEqual(check(type("Role"), { name: "r" }, undefined, naming), {
      inputs: {
        name: "r",
        connectionLimit: -1,
        encryptedPassword: true,
        inherit: true,
        validUntil: "infinity",
      },
      defaults: ["connectionLimit", "encryptedPassword", "inherit", "validUntil"],
      failures: [],
    });
  });

  it("keeps an old default, but not an old value that the program gave before", () => {
    const old = { values: { connectionLimit: 3, validUntil: "2030-01-01" }, defaults: ["connectionLimit"] };
    const { inputs } = check(type("Role"), { name: "r" }, old, naming);
    assert.equal(inputs["connectionLimit"], 3);
    assert.equal(inputs["validUntil"], "infinity");
  });

  describe("a name that the program does not give", () => {
    it("is made of the resource's name and the engine's seed: the same in preview and update", () => {
      const once = check(type("Role"), {}, undefined, naming);
      assert.match(String(once.inputs["name"]), /^reader-[0-9a-f]{7}$/u);
      assert.deepEqual(check(type("Role"), {}, undefined, naming), once);
      assert.ok(once.defaults.includes("name"));
    });
    it("stays what it was", () => {
      const old = { values: { name: "reader-0000000" }, defaults: ["name"] };
      assert.equal(check(type("Role"), {}, old, naming).inputs["name"], "reader-0000000");
    });
    it("follows the project's configuration", () => {
      const configured = { mode: "enforce", name: "prod-reader" } as const;
      const { inputs } = check(type("Role"), {}, undefined, { ...naming, configured });
      assert.equal(inputs["name"], "prod-reader");
    });
    it("is missing where the configuration forbids to make one up", () => {
      const configured = { mode: "disable", name: "" } as const;
      const { failures } = check(type("Role"), {}, undefined, { ...naming, configured });
      assert.deepEqual(
        failures.map(({ property }) => property),
        ["name"],
      );
    });
  });

  it("takes numbers and flags that come as text", () => {
    const { inputs } = check(
      type("Role"),
      { name: "r", connectionLimit: "5", login: "true" },
      undefined,
      naming,
    );
    assert.equal(inputs["connectionLimit"], 5);
    assert.equal(inputs["login"], true);
  });

  it("lets unknown values of a preview pass", () => {
    const news: Properties = {
      role: unknown,
      database: unknown,
      objectType: "table",
      schema: unknown,
      privileges: unknown,
    };
    const { inputs, failures } = check(type("Grant"), news, undefined, naming);
    assert.deepEqual(failures, []);
    assert.equal(inputs["privileges"], unknown);
  });

  for (const [what, name, news, expected] of [
    [
      "a missing property",
      "GrantRole",
      { role: "a" },
      /^grantRole: Missing required argument\. The argument "grant_role" is required/u,
    ],
    [
      "a number below the least",
      "Role",
      { name: "r", connectionLimit: -2 },
      /expected connection_limit to be at least \(-1\), got -2/u,
    ],
    [
      "a value that is none of the known",
      "Grant",
      { role: "a", database: "d", privileges: [], objectType: "view" },
      /expected object_type to be one of \["database"/u,
    ],
    [
      "two that exclude each other",
      "Role",
      { name: "r", password: "a", passwordWo: "b", passwordWoVersion: "1" },
      /"password": conflicts with password_wo/u,
    ],
    [
      "one that needs another",
      "Role",
      { name: "r", passwordWo: "b" },
      /all of `password_wo_version` must be specified/u,
    ],
    [
      "a property that does not exist",
      "Role",
      { name: "r", colour: "red" },
      /^colour: Invalid or unknown key/u,
    ],
    [
      "the deprecated policies of a schema",
      "Schema",
      { name: "s", policies: ["x"] },
      /^policies: .* use a Grant/u,
    ],
    [
      "a value of another type",
      "Role",
      { name: "r", roles: "app" },
      /^roles: roles must be a list of texts/u,
    ],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.match(reasons(name, news)[0] ?? "nothing", expected);
    });
  }
});
