import assert from "node:assert/strict";
import protobuf from "google-protobuf/google/protobuf/struct_pb.js";
import {
  inOfficialWords,
  isInterference,
  OperationFailed,
  sqlState,
  step,
} from "../../../toolchain/postgresql-plugin/errors.ts";
import { unknown } from "../../../toolchain/postgresql-plugin/model.ts";
import { resourceType } from "../../../toolchain/postgresql-plugin/operations.ts";
import { connectionSettings } from "../../../toolchain/postgresql-plugin/settings.ts";
import { receive, send } from "../../../toolchain/postgresql-plugin/wire.ts";

const secret = (value: unknown) => ({
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  value,
});
const struct = (value: object) => protobuf.Struct.fromJavaScript({ ...value });

describe("the wire", () => {
  it("opens secrets, also inside a list, and tells which properties hold one", () => {
    const received = receive(struct({ password: secret("p"), roles: ["a", secret("b")], name: "r" }));
    assert.deepEqual(received.values, { password: "p", roles: ["a", "b"], name: "r" });
    assert.deepEqual([...received.secrets], ["password", "roles"]);
  });
  it("knows the marks of unknown values", () => {
    const { values } = receive(
      struct({ a: "04da6b54-80e4-46f7-96ec-b56ff0331ba9", b: ["6a19a0b0-7e62-4c92-b797-7f8e31da9cc2"] }),
    );
    assert.deepEqual(values, { a: unknown, b: [unknown] });
  });
  it("leaves the machinery's own keys out and keeps the list of defaults apart", () => {
    const received = receive(struct({ __defaults: ["x"], __meta: "{}", x: 1 }));
    assert.deepEqual(received.values, { x: 1 });
    assert.deepEqual(received.defaults, ["x"]);
  });
  it("wraps secrets again, but not an absent one", () => {
    const sent = send(
      { password: "p", passwordWo: null, n: unknown },
      new Set(["password", "passwordWo"]),
      [],
    );
    assert.deepEqual(sent.toJavaScript(), {
      password: secret("p"),
      passwordWo: null,
      n: "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
      __defaults: [],
    });
  });
});

describe("the provider's configuration", () => {
  it("has the official defaults", () => {
    assert.deepEqual(connectionSettings({}, {}), {
      host: "localhost",
      port: 5432,
      database: "postgres",
      username: "postgres",
      password: undefined,
      databaseUsername: "postgres",
      superuser: true,
      sslmode: "require",
      sslrootcert: undefined,
      connectTimeout: 180_000,
      maxConnections: 20,
    });
  });
  it("falls back to the official environment variables, which what is given beats", () => {
    const env = {
      PGHOST: "h",
      PGPORT: "1",
      PGUSER: "u",
      PGPASSWORD: "p",
      PGSSLMODE: "disable",
      PGSUPERUSER: "false",
      PGDATABASE: "d",
      PGCONNECT_TIMEOUT: "2",
    };
    const settings = connectionSettings({ host: "given", port: "15432" }, env);
    const { host, port, username, password, sslmode, superuser, database, connectTimeout } = settings;
    assert.deepEqual(
      [host, port, username, password, sslmode, superuser, database, connectTimeout],
      ["given", 15432, "u", "p", "disable", false, "d", 2000],
    );
  });
  for (const [given, message] of [
    [{ port: "five" }, /postgresql:port must be a whole number/u],
    [{ superuser: "perhaps" }, /postgresql:superuser must be true or false/u],
    [{ sslmode: "prefer" }, /postgresql:sslmode must be one of disable/u],
    [{ scheme: "awspostgres" }, /postgresql:scheme must be postgres/u],
    [{ awsRdsIamAuth: "true" }, /postgresql:awsRdsIamAuth is not supported by this stand-in/u],
  ] as const) {
    it(`refuses ${JSON.stringify(given)}`, () => assert.throws(() => connectionSettings(given, {}), message));
  }
});

describe("errors", () => {
  const fromServer = (code: string, message: string) =>
    Object.assign(new Error(message), { code, severity: "ERROR", detail: "Key (password)=(p)" });

  it("of the server have its code and leave out details", () => {
    assert.equal(
      inOfficialWords(fromServer("42704", 'role "a" does not exist')),
      'pq: role "a" does not exist (42704)',
    );
  });
  it("say first what was being done", async () => {
    const failing = step("could not execute revoke query", () => Promise.reject(fromServer("42704", "gone")));
    await assert.rejects(failing, new OperationFailed("could not execute revoke query: pq: gone (42704)"));
    await assert.rejects(failing, (error: unknown) => sqlState(error) === "42704");
  });
  it("of a refused connection read as the official ones", () => {
    const refused = Object.assign(new Error("connect"), {
      code: "ECONNREFUSED",
      address: "127.0.0.1",
      port: 1,
    });
    assert.equal(
      inOfficialWords(new AggregateError([refused])),
      "dial tcp 127.0.0.1:1: connect: connection refused",
    );
  });
  it("count as interference when the same transaction may succeed next time", () => {
    assert.ok(isInterference(fromServer("40P01", "deadlock detected")));
    assert.ok(isInterference(fromServer("XX000", "tuple concurrently updated")));
    assert.ok(!isInterference(fromServer("XX000", "cache lookup failed")));
  });
  it("for any other type name it and the way to the official plugin", () => {
    assert.throws(
      () => resourceType("postgresql:index/publication:Publication"),
      /^OperationFailed: postgresql:index\/publication:Publication is not known .*\n.*\n {2}pulumi plugin install resource postgresql 3\.18\.1$/u,
    );
  });
});
