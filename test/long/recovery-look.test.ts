import assert from "node:assert/strict";
import { z } from "zod";
import { close, connect, withClient } from "../../operations/database/connection.ts";
import { docker } from "../../operations/docker/run.ts";
import { access } from "../../operations/plan/access.ts";
import { heldTables, standsAt, type Look } from "../../operations/recovery/look/look.ts";
import { lookName, removeLook, type LookPlace } from "../../operations/recovery/look/place.ts";
import { runSql, selectRows } from "../../operations/recovery/look/query.ts";
import { ownCluster, withLook } from "../../operations/recovery/look/session.ts";
import { isRefusal } from "../../settings/refusal.ts";
import type { RecoveryTarget } from "../../settings/types.ts";
import { startArchivedServer, type ArchivedServer } from "../support/archived-server.ts";

const silent = (): void => undefined;

describe("a look at a point in time", function () {
  this.timeout(120_000);
  let server: ArchivedServer;
  let place: LookPlace;
  /** Positions after one, two and three rows. */
  const at: string[] = [];
  /** When the second came. */
  let time: string;

  const look = (target: RecoveryTarget): Promise<Look> =>
    withLook(server.settings, "look", silent, ({ goTo }) => goTo(target));
  const toLsn = (lsn = ""): Promise<Look> => look({ kind: "lsn", lsn });
  const names = async (): Promise<string[]> =>
    (
      await selectRows(
        lookName(place),
        "mealie",
        z.object({ name: z.string() }),
        "select name from t order by name",
      )
    ).map(({ name }) => name);
  const archive = (): Promise<string> =>
    docker([
      ...["exec", server.container, "sh", "-c"],
      "cd /var/lib/dumps && find . -type f -print0 | sort -z | xargs -0 sha256sum",
    ]);

  before(async () => {
    server = await startArchivedServer();
    place = { settings: server.settings, cluster: ownCluster(server.settings), purpose: "look" };
    await server.query("mealie", "create table t (name text primary key)");
    for (const name of ["one", "two", "three"]) {
      await server.query("mealie", `insert into t values ('${name}')`);
      at.push(await server.position());
    }
    await server.query("mealie", "insert into t values ('four')");
  });
  after(() => server.cleanup());

  it("shows the data of then, in a container of its own without a network, and nobody can write there", async () => {
    const { how, target } = await toLsn(at[0]);
    assert.equal(how, "restored");
    assert.deepEqual([await names(), target.lost.length], [["one"], 3]);
    await assert.rejects(runSql(lookName(place), "mealie", "insert into t values ('x')"), (error) =>
      isRefusal(error, "LOOK_QUERY"),
    );
    const [seen] = z
      .array(z.object({ NetworkSettings: z.object({ Networks: z.record(z.string(), z.unknown()) }) }))
      .parse(JSON.parse(await docker(["inspect", lookName(place)])));
    assert.deepEqual(Object.keys(seen?.NetworkSettings.Networks ?? {}), ["none"]);
  });

  it("goes on to a later moment without restoring again, and knows the same place by other names", async () => {
    assert.equal((await toLsn(at[1])).how, "moved on");
    assert.deepEqual(await names(), ["one", "two"]);
    const [row] = await server.query(
      "mealie",
      `select xmin::text as xid, to_char(pg_xact_commit_timestamp(xmin) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') as time
         from t where name = 'two'`,
    );
    ({ time } = z.object({ xid: z.string(), time: z.string() }).parse(row));
    assert.equal((await look({ kind: "xid", xid: String(row?.["xid"]) })).how, "was there");
    assert.equal((await look({ kind: "time", time: `${time}+00` })).how, "was there");
  });

  it("restores for an earlier moment, be it by a microsecond", async () => {
    const { target } = await look({ kind: "time", time: `${microsecondBefore(time)}+00` });
    assert.deepEqual([await names(), target.lost.length], [["one"], 3]);
  });

  it("leaves the archive as it is, also when somebody promotes the instance, and is made anew after that", async () => {
    // Everything up to now, so that the live server has nothing of its own to archive meanwhile.
    await withClient(access(server.settings), "postgres", (client) => client.query("select pg_switch_wal()"));
    await docker([
      ...["exec", "-u", "postgres", server.container, "pgbackrest", "--stanza=main"],
      ...["--config=/var/lib/postgresql/data/rollback-pgbackrest.conf", "check"],
    ]);
    const before = await archive();
    await runSql(lookName(place), "postgres", "select pg_promote()");
    await runSql(lookName(place), "mealie", "insert into t values ('nobody')");
    await runSql(lookName(place), "postgres", "select pg_switch_wal()");
    assert.equal((await standsAt(place))?.promoted, true);
    assert.equal((await toLsn(at[2])).how, "restored");
    assert.deepEqual(await names(), ["one", "three", "two"]);
    assert.equal(await archive(), before);
  });

  it("goes on after it was killed, whatever the call was at", async () => {
    await docker(["kill", lookName(place)]);
    assert.equal((await toLsn(at[2])).how, "moved on");
    assert.deepEqual(await names(), ["one", "three", "two"]);
    // As a call leaves it that was killed while it restored.
    await docker(["exec", lookName(place), "sh", "-c", "rm $PGDATA/rollback-look.json $PGDATA/PG_VERSION"]);
    assert.equal((await toLsn(at[2])).how, "restored");
    assert.deepEqual(await names(), ["one", "three", "two"]);
  });

  it("names a table that somebody held to himself at that moment, and does not wait for it", async () => {
    const holder = await connect(access(server.settings), "mealie");
    try {
      await server.query("mealie", "create table kept (a int)", "create table doomed (a int)");
      await server.query("mealie", "insert into kept values (1)");
      await holder.query("begin; drop table kept");
      await server.query("mealie", "drop table doomed");
      const lsn = await server.position();
      await server.query("mealie", "create table later ()");
      await holder.query("commit");
      await toLsn(lsn);
    } finally {
      await close(holder);
    }
    assert.deepEqual(await heldTables(lookName(place), "mealie"), ["kept"]);
    await assert.rejects(runSql(lookName(place), "mealie", "select * from kept"), (error) =>
      isRefusal(error, "LOOK_QUERY"),
    );
  });

  it("refuses a target that cannot be reached, and the instance stays where it is", async () => {
    const there = await names();
    await assert.rejects(look({ kind: "restorePoint", name: "nobody" }), (error) =>
      isRefusal(error, "NAME_ABSENT"),
    );
    assert.deepEqual(await names(), there);
  });

  it("lets a second call wait for the first", async () => {
    await toLsn(at[2]);
    const [one, two] = await Promise.all([toLsn(at[2]), toLsn(at[2])]);
    assert.deepEqual([one.how, two.how], ["was there", "was there"]);
    assert.equal((await standsAt(place))?.paused, true);
  });

  it("leaves nothing behind when it is removed", async () => {
    assert.equal(await removeLook(place), true);
    assert.equal(await removeLook(place), false);
    assert.equal(await docker(["volume", "ls", "-q", "--filter", `name=^${lookName(place)}$`]), "");
  });
});

function microsecondBefore(time: string): string {
  return time.replace(/\d{6}$/, (digits) => String(Number(digits) - 1).padStart(6, "0"));
}
