import assert from "node:assert/strict";
import type pg from "pg";
import { isRefusal } from "../../settings/refusal.ts";
import { close, connect, withClient } from "../../operations/database/connection.ts";
import type { Server } from "../../operations/database/connection.ts";
import { openRun, readJournal, writeFinished, writeWayBack } from "../../operations/journal/journal.ts";
import type { JournalKey, RunRecord } from "../../operations/journal/journal.ts";
import { assertRun, claimRun, sessionName } from "../../operations/journal/run-token.ts";
import { withLock } from "../../operations/lock.ts";
import { startPostgres } from "../support/postgres.ts";
import type { TestPostgres } from "../support/postgres.ts";

const stack = "shop/prod";
const refusedAs =
  (code: string) =>
  (error: unknown): boolean =>
    isRefusal(error, code);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("what is remembered of runs", function () {
  this.timeout(60_000);
  let postgres: TestPostgres;
  let server: Server;
  const sql = (text: string, values: unknown[] = []): Promise<pg.QueryResult> =>
    withClient(server, "postgres", (client) => client.query(text, values));

  before(async () => {
    postgres = await startPostgres();
    server = postgres.server;
    await sql("create role rollback_operator login password 'op'");
  });
  after(() => postgres.remove());

  describe("the journal", () => {
    const key: JournalKey = { stack, systemIdentifier: "7000000000000000001", timeline: 1 };
    const record = (run: string, inputs: RunRecord["inputs"] = { live: "1.2.0" }): RunRecord => ({
      ...{
        run,
        revision: `rev-${run}`,
        kind: "deploy",
        inputs,
        from: null,
        to: { live: ["1.2.0"] },
        by: "ada@desk",
      },
    });
    const read = (of: JournalKey = key): ReturnType<typeof readJournal> =>
      readJournal(server, "postgres", of);

    it("is empty while there is no database, no schema and no table", async () => {
      const empty = { finished: undefined, open: undefined, wayBack: undefined };
      assert.deepEqual(await readJournal(server, "nowhere", key), empty);
      assert.deepEqual(await read(), empty);
    });

    it("says unreachable when it is, instead of empty", async () => {
      const away = readJournal({ ...server, port: 1 }, "postgres", key);
      await assert.rejects(away, refusedAs("SERVER_UNREACHABLE"));
    });

    it("keeps the last finished run, also when it could not be opened before", async () => {
      const written = await writeFinished(
        server,
        "postgres",
        key,
        record("run-1", { b: [1, { c: null }], a: "ö" }),
      );
      const { finished, open } = await read();
      assert.deepEqual(finished, written);
      assert.deepEqual(written.inputs, { b: [1, { c: null }], a: "ö" });
      assert.equal(written.revision, "rev-run-1");
      assert.ok(written.startedAt <= written.finishedAt);
      assert.equal(open, undefined);
    });

    it("shows a run that was opened and not finished beside the last finished one", async () => {
      await openRun(server, "postgres", key, record("run-2"));
      await openRun(server, "postgres", key, record("run-2"));
      const { finished, open } = await read();
      assert.deepEqual([finished?.run, open?.run], ["run-1", "run-2"]);
    });

    it("keeps a way back that is pending until the run, or a later one, is finished", async () => {
      await writeWayBack(server, "postgres", "run-2", {
        reason: "errors 12 %",
        command: "rollback to 1.2.0",
      });
      const { wayBack } = await read();
      assert.deepEqual([wayBack?.run, wayBack?.command], ["run-2", "rollback to 1.2.0"]);
      await writeFinished(server, "postgres", key, record("run-3"));
      const journal = await read();
      assert.deepEqual(
        [journal.finished?.run, journal.open, journal.wayBack],
        ["run-3", undefined, undefined],
      );
    });

    it("is another one for another stack, another server and another timeline", async () => {
      for (const other of [
        { stack: "shop/staging" },
        { systemIdentifier: "7000000000000000002" },
        { timeline: 2 },
      ]) {
        assert.equal((await read({ ...key, ...other })).finished, undefined);
      }
    });

    it("belongs to the operator, and nobody else may look", async () => {
      const { rows } = await sql(
        "select tableowner, has_schema_privilege('public', 'rollback', 'usage') as open from pg_tables where tablename = 'journal'",
      );
      assert.deepEqual(rows, [{ tableowner: "rollback_operator", open: false }]);
      const { finished } = await readJournal(postgres.as("rollback_operator", "op"), "postgres", key);
      assert.equal(finished?.run, "run-3");
    });

    it("is made once, even by several at the same moment", async () => {
      await sql("create database fresh");
      const runs = Array.from({ length: 6 }, (_, n) =>
        openRun(server, "fresh", key, record(`together-${String(n)}`)),
      );
      await Promise.all(runs);
      const { rows } = await withClient(server, "fresh", (client) =>
        client.query("select count(*)::int as n from rollback.journal"),
      );
      assert.deepEqual(rows, [{ n: 6 }]);
    });
  });

  describe("the lock of a stack", () => {
    const request = { stack, purpose: "schema", takeOver: false };

    it("admits one at a time and tells the other who holds it", async () => {
      await withLock(server, { ...request, run: "one" }, async () => {
        const second = withLock(server, { ...request, run: "two", waitMs: 200 }, () => Promise.resolve());
        await assert.rejects(second, (error) => {
          assert.ok(isRefusal(error, "RUN_IN_PROGRESS"));
          assert.match(error.message, /rollback one schema \(role postgres .*pid \d+, since 20/);
          return true;
        });
        await withLock(server, { ...request, stack: "shop/staging", run: "two" }, () => Promise.resolve());
      });
      await withLock(server, { ...request, run: "two", waitMs: 0 }, () => Promise.resolve());
    });

    it("lets many take their turn", async () => {
      let inside = 0;
      let turns = 0;
      const contenders = Array.from({ length: 6 }, (_, n) =>
        withLock(server, { ...request, run: `turn-${String(n)}` }, async () => {
          assert.equal(++inside, 1);
          await pause(20);
          inside--;
          turns++;
        }),
      );
      await Promise.all(contenders);
      assert.equal(turns, 6);
    });

    it("is taken over from an older run, whose program notices", async () => {
      const said: string[] = [];
      let aborted = false;
      const stale = withLock(server, { ...request, run: "stale" }, async ({ signal }) => {
        signal.addEventListener("abort", () => (aborted = true));
        while (!aborted) await pause(10);
        return "done";
      });
      const failed = assert.rejects(stale, refusedAs("LOCK_LOST"));
      await pause(200);
      await withLock(
        server,
        { ...request, run: "new", takeOver: true, say: (line) => said.push(line) },
        async (lock) => {
          await lock.assertHeld();
          await failed;
        },
      );
      assert.ok(aborted);
      assert.match(said.join("\n"), /taking over from run stale, at work since/);
    });

    it("waits for another effect of the same run instead of ending it", async () => {
      const first = withLock(server, { ...request, run: "same", takeOver: true }, () =>
        pause(300).then(() => "kept"),
      );
      await pause(100);
      await withLock(server, { ...request, run: "same", takeOver: true }, () => Promise.resolve());
      assert.equal(await first, "kept");
    });

    it("is gone when its session is", async () => {
      const lost = withLock(server, { ...request, run: "victim" }, async () => {
        await sql(
          "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'rollback victim%'",
        );
        await pause(50);
      });
      await assert.rejects(lost, refusedAs("LOCK_LOST"));
      await withLock(server, { ...request, run: "next", waitMs: 0 }, () => Promise.resolve());
    });
  });

  describe("the claim of a run", () => {
    const assertAs = (run: string): Promise<void> =>
      withClient(server, "postgres", async (client) => {
        await client.query("begin");
        await assertRun(client, run);
      });

    it("is nobody's before the first one", async () => {
      await assert.rejects(assertAs("first"), refusedAs("RUN_OVERTAKEN"));
    });

    it("is the last one's; an older run neither writes nor claims again", async () => {
      assert.equal(await claimRun(server, "postgres", { stack, run: "first" }), undefined);
      assert.equal(await claimRun(server, "postgres", { stack, run: "first" }), undefined);
      await assertAs("first");
      await claimRun(server, "postgres", { stack: "shop/staging", run: "elsewhere" });
      assert.equal(await claimRun(server, "postgres", { stack, run: "second" }), "first");
      await assertAs("second");
      await assertAs("elsewhere");
      await assert.rejects(assertAs("first"), refusedAs("RUN_OVERTAKEN"));
      await assert.rejects(claimRun(server, "postgres", { stack, run: "first" }), refusedAs("RUN_OVERTAKEN"));
    });

    it("ends the older run's sessions in the middle of a transaction: nothing of it is kept", async () => {
      await sql("create table work_done (by text)");
      const old = await connect(server, "postgres", { applicationName: sessionName("second", "schema") });
      try {
        await old.query("begin");
        await assertRun(old, "second");
        await old.query("insert into work_done values ('second')");
        assert.equal(await claimRun(server, "postgres", { stack, run: "third" }), "second");
        await assert.rejects(old.query("commit"));
      } finally {
        await close(old);
      }
      assert.equal((await sql("select from work_done")).rowCount, 0);
    });

    it("waits for a transaction that cannot be ended, and refuses after the deadline", async () => {
      const nameless = await connect(server, "postgres");
      try {
        await nameless.query("begin");
        await assertRun(nameless, "third");
        const blocked = claimRun(server, "postgres", { stack, run: "fourth" }, { deadlineMs: 600 });
        await assert.rejects(blocked, refusedAs("CLAIM_BLOCKED"));
        const claimed = claimRun(server, "postgres", { stack, run: "fourth" });
        await pause(300);
        await nameless.query("commit");
        assert.equal(await claimed, "third");
      } finally {
        await close(nameless);
      }
    });

    it("lets what the older run left prepared be finished first", async () => {
      const old = await connect(server, "postgres", { applicationName: sessionName("fourth") });
      await old.query("begin");
      await assertRun(old, "fourth");
      await old.query("insert into work_done values ('fourth'); prepare transaction 'shop-fourth'");
      const settle = async (client: pg.ClientBase): Promise<void> => {
        const { rowCount } = await client.query("select from pg_prepared_xacts where gid = 'shop-fourth'");
        if (rowCount === 1) await client.query("commit prepared 'shop-fourth'");
      };
      assert.equal(await claimRun(server, "postgres", { stack, run: "fifth" }, { settle }), "fourth");
      await close(old);
      assert.equal((await sql("select from work_done")).rowCount, 1);
    });

    it("goes to exactly one when several claim at once", async () => {
      const rivals = ["a", "b", "c", "d"].map((run) =>
        claimRun(server, "postgres", { stack, run: `rival-${run}` }),
      );
      await Promise.allSettled(rivals);
      const { rows } = await sql("select run from rollback.run where stack = $1 and overtaken is null", [
        stack,
      ]);
      assert.equal(rows.length, 1);
    });
  });
});
