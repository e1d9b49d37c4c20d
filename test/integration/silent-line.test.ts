import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { close, connect, withClient } from "../../operations/database/connection.ts";
import { isUnreachable } from "../../operations/database/errors.ts";
import { docker } from "../../operations/docker/run.ts";
import { controlOf } from "../support/fault-trials.ts";
import { startPostgres } from "../support/postgres.ts";
import type { TestPostgres } from "../support/postgres.ts";

describe("a line that dies without a word", function () {
  this.timeout(120_000);
  let postgres: TestPostgres;

  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.remove());

  const sessions = "FROM pg_stat_activity";
  const lock = "LOCK TABLE pg_description IN ACCESS EXCLUSIVE MODE";
  /** Inside the container, as its network is away. */
  const within = (sql: string): Promise<string> =>
    docker(["exec", postgres.container, "psql", "-U", "postgres", "-qAtc", sql]);

  it("is given up by both ends: what waits for an answer ends, and the locks of the silent session come back", async () => {
    // Not by the published port: the proxy behind it would say that the server is gone.
    const address = await docker([
      ...["inspect", "-f", "{{.NetworkSettings.Networks.bridge.IPAddress}}", postgres.container],
    ]);
    const direct = { ...postgres.server, host: address.trim(), port: 5432 };
    const waiting = await connect(direct, "postgres", { applicationName: "waits" });
    const holding = await connect(direct, "postgres", { applicationName: "holds" });
    try {
      await holding.query(`BEGIN; ${lock}`);
      const answer = waiting.query("SELECT pg_sleep(600)");
      answer.catch(() => undefined);
      // Its query has arrived: what is not acknowledged is another matter.
      while ((await within(`SELECT state ${sessions} WHERE application_name = 'waits'`)) !== "active")
        await sleep(50);
      await controlOf(postgres).disconnect();
      await assert.rejects(answer, isUnreachable);
      while ((await within(`SELECT count(*) ${sessions} WHERE application_name = 'holds'`)) !== "0")
        await sleep(250);
    } finally {
      await controlOf(postgres).connect();
      await Promise.all([close(waiting), close(holding)]);
    }
    await withClient(postgres.server, "postgres", (client) =>
      client.query(`BEGIN; SET LOCAL lock_timeout = 100; ${lock}; ROLLBACK`),
    );
  });

  it("is given up also when it breaks during a statement that runs on: its locks come back before the statement's end", async () => {
    const running = await connect(postgres.server, "postgres", { applicationName: "runs on" });
    const answer = running.query(`BEGIN; ${lock}; SELECT pg_sleep(600)`);
    answer.catch(() => undefined);
    while ((await within(`SELECT wait_event ${sessions} WHERE application_name = 'runs on'`)) !== "PgSleep")
      await sleep(50);
    // As the system does for a program that is killed.
    running.connection.stream.destroy();
    await assert.rejects(answer);
    while ((await within(`SELECT count(*) ${sessions} WHERE application_name = 'runs on'`)) !== "0")
      await sleep(250);
    await close(running);
  });
});
