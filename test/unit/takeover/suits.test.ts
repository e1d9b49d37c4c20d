import assert from "node:assert/strict";
import type { ForeignServer } from "../../../operations/takeover/foreign.ts";
import { environmentOf } from "../../../operations/takeover/inspect.ts";
import { offersFrom, unsuited } from "../../../operations/takeover/suits.ts";
import { describeTakeover, refuseOtherSchema } from "../../../operations/takeover/describe.ts";
import { isRefusal } from "../../../settings/refusal.ts";
import { settingsOf } from "../plan/fixture.ts";

const offers = offersFrom(
  "C\nen_US.utf8\n\nplpgsql.control\npg_trgm.control\npg_trgm--1.6.sql\n\npg_stat_statements.so\n",
);
const database = {
  name: "shop",
  owner: "shop",
  encoding: "UTF8",
  locales: ["en_US.UTF-8"],
  extensions: ["pg_trgm"],
  owners: [],
};
const server: ForeignServer = {
  version: "17.2",
  major: 17,
  user: "shop",
  dataDirectory: "/var/lib/postgresql/data",
  databases: [database],
  roles: ["shop"],
  logins: [],
  settings: new Map(),
  preloaded: ["pg_stat_statements"],
  tablespaces: [],
};
const container = {
  name: "app-db-1",
  environment: environmentOf(["PGDATA=/var/lib/postgresql/data", "A=b=c", "LONE"]),
};

describe("data that another image made", () => {
  it("suits when the image has what it needs", () => {
    assert.deepEqual(container.environment.get("A"), "b=c");
    assert.deepEqual(unsuited(container, server, offers), []);
  });

  it("does not with another major version, and then nothing else matters", () => {
    assert.match(
      unsuited(container, { ...server, major: 16, version: "16.4" }, offers).join(),
      /^app-db-1 runs PostgreSQL 16\.4/,
    );
  });

  it("does not without its locale, extensions, libraries, encoding and folders", () => {
    const odd = { ...database, encoding: "LATIN1", locales: ["de_DE.utf8"], extensions: ["postgis"] };
    const problems = unsuited(
      container,
      {
        ...server,
        databases: [odd],
        preloaded: ["timescaledb"],
        tablespaces: ["/fast"],
        dataDirectory: "/elsewhere",
      },
      offers,
    );
    for (const [n, what] of [
      /de_DE\.utf8/,
      /postgis/,
      /timescaledb/,
      /LATIN1/,
      /\/fast/,
      /\/elsewhere/,
    ].entries())
      assert.match(problems[n] ?? "", what);
  });
});

describe("a takeover", () => {
  const settings = settingsOf(
    { live: { "1.2.0": 100 }, migrations: "/m" },
    { "rollback:takeover": { server: "app-db-1", containers: ["app-web-1"] } },
  );
  const state = {
    running: [
      { name: "app-web-1", seconds: 10 },
      { name: "app-db-1", seconds: 10 },
    ],
    ports: [80],
    server: { facts: server, versions: new Map([["meal_planner", "20"]]) },
    prepare: true,
  };

  it("says what it stops, dumps and changes", () => {
    const said = describeTakeover(settings, state).join("\n");
    assert.match(said, /dumps meal_planner from app-db-1 first/);
    assert.match(said, /stops app-web-1, app-db-1 and keeps them/);
    assert.match(said, /what is in meal_planner goes to the role meal_planner_owner/);
  });

  it("changes no schema with it", () => {
    refuseOtherSchema(
      new Map([
        ["meal_planner", "20"],
        ["mealie", "0"],
      ]),
      state,
    );
    assert.throws(
      () => refuseOtherSchema(new Map([["meal_planner", "23"]]), state),
      (error) =>
        isRefusal(error, "TAKEOVER_SCHEMA") && /is at 20, and the live release wants 23/.test(error.message),
    );
  });
});
