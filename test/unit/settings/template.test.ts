import assert from "node:assert/strict";
import fc from "fast-check";
import { fillTemplate, parseTemplate } from "../../../settings/template.ts";

const fill = (template: string) =>
  fillTemplate(template, (piece) => {
    const what = "name" in piece ? `${piece.kind} ${piece.name}` : piece.kind;
    return "part" in piece && piece.part !== "url" ? `<${what}: ${piece.part}>` : `<${what}>`;
  });

describe("templates in environment values", () => {
  it("name the release, the database, services and caches", () => {
    assert.equal(fill("${database.url}?app=v${release}"), "<database>?app=v<release>");
    assert.equal(
      fill("${services.meal-planner.url}/api ${caches.redis.url}"),
      "<service meal-planner>/api <cache redis>",
    );
  });

  it("name parts of an address", () => {
    assert.equal(
      fill("${database.user}:${database.password}@${database.host}:${database.port}/${database.name}"),
      "<database: user>:<database: password>@<database: host>:<database: port>/<database: name>",
    );
    assert.equal(
      fill("${caches.redis.host} ${services.mealie.port}"),
      "<cache redis: host> <service mealie: port>",
    );
  });

  it("leave other dollars and an escaped brace alone", () => {
    assert.equal(fill("$HOME $$ $(x) {y} $${release}"), "$HOME $$ $(x) {y} ${release}");
  });

  it("say what they do not know", () => {
    const unknown = (template: string) => parseTemplate(template).filter(({ kind }) => kind === "unknown");
    assert.deepEqual(unknown("${databases.url}"), [{ kind: "unknown", expression: "databases.url" }]);
    assert.deepEqual(unknown("${services.mealie.password}"), [
      { kind: "unknown", expression: "services.mealie.password" },
    ]);
    assert.deepEqual(unknown("${services..url}"), [{ kind: "unknown", expression: "services..url" }]);
    assert.deepEqual(unknown("${release"), [{ kind: "unknown", expression: undefined }]);
    assert.throws(() => fill("${nope}"));
  });

  it("without a reference stay as they are", () => {
    fc.assert(fc.property(fc.string(), (text) => text.includes("${") || fill(text) === text));
  });
});
