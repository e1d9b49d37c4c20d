import assert from "node:assert/strict";
import {
  databaseName,
  imageReference,
  tableName,
  tableParts,
  tableSql,
  version,
} from "../../../settings/identifiers.ts";

describe("tables", () => {
  it("are found in the catalogue as PostgreSQL folds them", () => {
    assert.deepEqual(tableParts("Food_Logs"), { schema: undefined, name: "food_logs" });
    assert.deepEqual(tableParts("App.food_logs"), { schema: "app", name: "food_logs" });
    assert.deepEqual(tableParts('"App"."Food ""new"" logs"'), { schema: "App", name: 'Food "new" logs' });
    assert.deepEqual(tableParts('"a.b"'), { schema: undefined, name: "a.b" });
    assert.deepEqual(tableParts("größe"), { schema: undefined, name: "größe" });
  });

  it("are quoted so that nothing else can be meant", () => {
    assert.equal(tableSql("order"), '"order"');
    assert.equal(tableSql('App."Food ""x"""'), '"app"."Food ""x"""');
  });

  it("are names, not SQL", () => {
    for (const text of ["a;b", "a b", "a.b.c", 'a"b', '"a', "1a", "", "a -- b", "a.", '""']) {
      assert.equal(tableName.safeParse(text).success, false, text);
    }
  });
});

describe("images", () => {
  it("are what Docker understands", () => {
    for (const text of [
      "app:1",
      "team/app:v1.2.0-rc.1",
      "localhost:5000/app:1",
      "registry.example.com/a/b__c/d-e:x_1",
      "app",
    ]) {
      assert.equal(imageReference.safeParse(text).success, true, text);
    }
    for (const text of [
      "App:1",
      "app:",
      "app:1:2",
      "app@sha256:1",
      "a//b:1",
      "-app:1",
      "app:-1",
      "app 1",
      `a${"b".repeat(300)}`,
    ]) {
      assert.equal(imageReference.safeParse(text).success, false, text);
    }
  });
});

describe("versions", () => {
  it("are any migration's number, but no range", () => {
    for (const text of ["0", "23", "023", "20240101120000", "1.2.3", "2024-01-01_add"])
      assert.ok(version.safeParse(text).success, text);
    for (const text of ["22..23", "", " 1", "-1", "a/b"]) assert.ok(!version.safeParse(text).success, text);
  });
});

describe("databases", () => {
  it("leave PostgreSQL's own alone", () => {
    for (const text of ["postgres", "template0", "template1", "pg_x", "a b", "1a", "é"]) {
      assert.ok(!databaseName.safeParse(text).success, text);
    }
    for (const text of ["meal_planner", "Meal-Planner", "postgres2", "_x"])
      assert.ok(databaseName.safeParse(text).success, text);
  });
});
