import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { pluginVersion } from "../../../toolchain/postgresql-plugin/operations.ts";
import { resourceTypes } from "../../../toolchain/postgresql-plugin/types/index.ts";
import type { Property } from "../../../toolchain/postgresql-plugin/model.ts";

const sdk = path.join(import.meta.dirname, "../../../node_modules/@pulumi/postgresql");
const read = (file: string): string => readFileSync(path.join(sdk, file), "utf8");

/** Properties of an interface or class in a declaration file: name, type without wrappers, whether it may be absent. */
function declared(source: string, opening: RegExp) {
  const start = opening.exec(source);
  assert.ok(start !== null);
  const body = source.slice(start.index).split("\n}")[0] ?? "";
  return [
    ...body.matchAll(
      /^ {4}(?:readonly )?(\w+)(\??): (?:pulumi\.(?:Input|Output)<)((?:pulumi\.Input<)?)([\w.]+)/gmu,
    ),
  ].map(([, name = "", absent, wrapped, type = ""]) => ({
    name,
    optional: absent === "?",
    type: wrapped === "" ? type : `${type}[]`,
  }));
}

function kindOf({ kind }: Property): string {
  if (kind === "integer") return "number";
  return kind === "set" || kind === "list" ? "string[]" : kind;
}

describe("the stand-in's types against what @pulumi/postgresql declares", () => {
  it("behaves like the installed version", () => {
    assert.equal((JSON.parse(read("package.json")) as { version: string }).version, pluginVersion);
  });

  for (const type of resourceTypes.values()) {
    const file = /index\/(\w+):/u.exec(type.token)?.[1] ?? "";
    const refused = Object.keys(type.refused ?? {});

    it(`${type.token} is an official token`, () => {
      assert.ok(read(`${file}.js`).includes(`__pulumiType = '${type.token}'`));
    });

    it(`${type.token} has the declared inputs`, () => {
      const inputs = declared(read(`${file}.d.ts`), /export interface \w+Args /u);
      assert.deepEqual(
        inputs.map(({ name }) => name).sort(),
        [...Object.keys(type.properties), ...refused].sort(),
      );
      for (const { name, optional, type: declaredType } of inputs.filter(
        (input) => !refused.includes(input.name),
      )) {
        const property = type.properties[name];
        assert.ok(property !== undefined);
        assert.equal(kindOf(property), declaredType, name);
        // A name may be left out because it is made up then.
        assert.equal(property.required !== true || property.autonamed === true, optional, name);
      }
    });

    it(`${type.token} has the declared outputs`, () => {
      const outputs = declared(read(`${file}.d.ts`), /export declare class \w+ extends/u);
      const own = [...Object.keys(type.properties), ...Object.keys(type.constants ?? {})];
      assert.deepEqual(outputs.map(({ name }) => name).sort(), own.sort());
    });
  }

  it("marks what the SDK keeps secret", () => {
    const secrets = /additionalSecretOutputs: \[([^\]]*)\]/u.exec(read("role.js"))?.[1] ?? "";
    const own = Object.entries(resourceTypes.get("postgresql:index/role:Role")?.properties ?? {});
    assert.deepEqual(
      own.flatMap(([name, { secret }]) => (secret === true ? [name] : [])),
      [...secrets.matchAll(/"(\w+)"/gu)].map(([, name]) => name),
    );
  });
});
