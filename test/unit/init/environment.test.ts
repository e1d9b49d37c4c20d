import assert from "node:assert/strict";
import { translate, type Neighbours } from "../../../operations/init/environment.ts";

const neighbours: Neighbours = {
  server: { aliases: ["db", "app-db-1"], users: ["postgres"] },
  caches: [{ name: "redis", aliases: ["redis"] }],
  services: [{ name: "api", aliases: ["api"] }],
  others: ["minio"],
};
const translated = (variables: Readonly<Record<string, string>>, taken = new Map<string, string>()) =>
  translate("web", new Map(Object.entries(variables)), neighbours, taken);
const env = (variables: Readonly<Record<string, string>>) => Object.fromEntries(translated(variables).env);

describe("a service's environment in the words of a stack", () => {
  it("gets its database by URL, whatever dialect wraps it", () => {
    const {
      env: found,
      database,
      users,
    } = translated({
      DATABASE_URL: "postgres://shop:hunter2@db:5432/shop?sslmode=disable",
      ASYNC_URL: "postgresql+asyncpg://shop:hunter2@db/shop",
    });
    assert.deepEqual(Object.fromEntries(found), {
      DATABASE_URL: "${database.url}?sslmode=disable",
      ASYNC_URL:
        "postgresql+asyncpg://${database.user}:${database.password}@${database.host}:${database.port}/${database.name}",
    });
    assert.deepEqual([database, users], ["shop", ["shop"]]);
  });

  it("gets it in parts, and beside a JDBC URL", () => {
    const parts = {
      DB_HOST: "db",
      DB_PORT: "5432",
      DB_NAME: "shop",
      DB_USER: "shop",
      DB_PASSWORD: "hunter2",
    };
    assert.deepEqual(env(parts), {
      DB_HOST: "${database.host}",
      DB_PORT: "${database.port}",
      DB_NAME: "${database.name}",
      DB_USER: "${database.user}",
      DB_PASSWORD: "${database.password}",
    });
    assert.deepEqual([translated(parts).database, translated(parts).users], ["shop", ["shop"]]);
    assert.deepEqual(
      env({
        SPRING_DATASOURCE_URL: "jdbc:postgresql://db:5432/shop",
        SPRING_DATASOURCE_USERNAME: "postgres",
        SPRING_DATASOURCE_PASSWORD: "hunter2",
      }),
      {
        SPRING_DATASOURCE_URL: "jdbc:postgresql://${database.host}:${database.port}/${database.name}",
        SPRING_DATASOURCE_USERNAME: "${database.user}",
        SPRING_DATASOURCE_PASSWORD: "${database.password}",
      },
    );
  });

  it("leaves other databases alone", () => {
    const { database, env: found } = translated({
      WAREHOUSE_URL: "postgres://etl:hunter2@warehouse.example.org/w",
    });
    assert.equal(database, undefined);
    assert.deepEqual(Object.fromEntries(found), { WAREHOUSE_URL: { secret: "warehouseUrl" } });
  });

  it("names caches and services by reference", () => {
    assert.deepEqual(
      env({
        REDIS_URL: "redis://:hunter2@redis:6379/1",
        REDIS_HOST: "redis",
        CELERY: "redis:6379",
        API: "http://api:9000/v1?x=1",
      }),
      {
        REDIS_URL: "${caches.redis.url}/1",
        REDIS_HOST: "${caches.redis.host}",
        CELERY: "${caches.redis.host}:${caches.redis.port}",
        API: "${services.api.url}/v1?x=1",
      },
    );
  });

  it("keeps secrets by name, told by the variable's name or by the value", () => {
    const { env: found, secrets } = translated(
      {
        API_KEY: "two",
        SMTP_PASSWORD: "x",
        SENTRY: "https://key:hunter2@sentry.example.org/1",
        SESSION: "0".repeat(32),
        KEYBOARD: "de",
        TOKEN: "",
      },
      new Map([["apiKey", "one"]]),
    );
    assert.deepEqual(Object.fromEntries(found), {
      API_KEY: { secret: "webApiKey" },
      SMTP_PASSWORD: { secret: "smtpPassword" },
      SENTRY: { secret: "sentry" },
      SESSION: { secret: "session" },
      KEYBOARD: "de",
      TOKEN: "",
    });
    assert.equal(secrets.get("apiKey"), "one");
    assert.equal(secrets.get("webApiKey"), "two");
  });

  it("never takes the name of the secret that passwords come from", () => {
    const { secrets } = translated({ DB: "0".repeat(40) });
    assert.deepEqual([...secrets.keys()], ["webDb"]);
  });

  it("says what will not be reached, and keeps texts as they are", () => {
    const { env: found, notes } = translated({ S3: "http://minio:9000", PATTERN: "${a} $b" });
    assert.equal(found.get("PATTERN"), "$${a} $b");
    assert.match(notes.join(), /S3 of web mentions minio/);
  });
});
