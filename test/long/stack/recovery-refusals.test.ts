import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { docker } from "../../../operations/docker/run.ts";
import { segmentName, segmentStart } from "../../../operations/recovery/segments.ts";
import type { StackOptions } from "../../../examples/meal-planner/stack.ts";
import {
  archived,
  askRecovery,
  assertRefused,
  derivedImage,
  inVolumes,
  quickStack,
  type Asked,
} from "../../support/recovery.ts";
import { askStack } from "../../support/stack-checks.ts";
import { lineOf } from "../../support/stack-events.ts";
import { createStack, type ScratchStack } from "../../support/stack.ts";

const options: StackOptions = { ...quickStack, live: { "1.2.0": 100 } };
const archive = "/var/lib/dumps/pgbackrest/archive/main/17-1";
const insert = "insert into meals (name, slot, calories) values ('a meal', 'lunch', 100)";

describe("a recovery that cannot be made is refused with its own code, and nothing stops", function () {
  this.timeout(300_000);
  let stack: ScratchStack;
  let started: string | undefined;
  let inUse: string;
  const volumes: string[] = [];
  const images: string[] = [];

  const extraVolume = async (end: string, options: readonly string[] = []): Promise<string> => {
    const name = `${stack.project}-${end}`;
    volumes.push(name);
    await docker(["volume", "create", ...options.flatMap((option) => ["--opt", option]), name]);
    return name;
  };
  const image = async (end: string, lines: readonly string[]): Promise<string> => {
    const tag = `${stack.project}-${end}:17`;
    images.push(tag);
    await derivedImage(tag, lines);
    return tag;
  };
  const serverStart = async (): Promise<string | undefined> =>
    (await stack.containers()).find(({ name }) => name === stack.names.postgres)?.startedAt;
  const previewed = async (code: string, asked: Asked): Promise<string> => {
    await askRecovery(stack, options, { laterWrites: "drop", ...asked });
    const { output } = await stack.preview({ expectFailure: true });
    assertRefused(output, code);
    return output;
  };
  const tried = async (code: string, asked: Asked): Promise<void> => {
    await askRecovery(stack, options, { laterWrites: "drop", ...asked });
    const { output } = await stack.up({ expectFailure: true });
    assertRefused(output, code);
  };
  const server = (sql: string, database = "meal_planner"): Promise<Record<string, unknown>[]> =>
    stack.query(database, sql);
  const point = (name: string): Promise<unknown> => server(`select pg_create_restore_point('${name}')`);
  const shell = (script: string): Promise<string> =>
    docker(["exec", stack.names.postgres, "bash", "-ec", script]);
  const archivedUpToNow = (): Promise<string> =>
    shell("pgbackrest --config=$PGDATA/rollback-pgbackrest.conf --stanza=main check");

  before(async () => {
    stack = await createStack();
    await stack.configure(options, (config) => archived(config));
    await stack.up();
    started = await serverStart();
    inUse = stack.volumes.data;
    await server(insert);
    await point("a-point");
    await server(insert);
  });
  afterEach(async () => {
    assert.equal((await askStack(stack, "/health")).status, 200);
    assert.equal(await serverStart(), started);
  });
  after(async () => {
    await stack.cleanup();
    if (volumes.length > 0) await docker(["volume", "rm", "-f", ...volumes]);
    if (images.length > 0) await docker(["rmi", ...images]);
  });

  it("NAME_DUPLICATE: two restore points bear the name", async () => {
    await point("twice");
    await server(insert);
    await point("twice");
    await previewed("NAME_DUPLICATE", { target: { restorePoint: "twice" } });
  });

  it("VOLUME_IN_USE: the volume recovered from is not the one in use", async () => {
    await previewed("VOLUME_IN_USE", {
      target: { restorePoint: "a-point" },
      from: `${stack.project}-elsewhere`,
    });
  });

  it("RESET_WITH_RECOVERY: a database is to be made anew by the same up", async () => {
    const recovery = {
      volume: `${stack.volumes.data}-2`,
      from: stack.volumes.data,
      target: { restorePoint: "a-point" },
    };
    await stack.configure(options, (config) => ({
      ...archived(config, { volume: recovery.volume }),
      "rollback:recovery": { ...recovery, laterWrites: "drop" },
      "rollback:reset": { database: "meal_planner", keepAs: "meal_planner_corrupted" },
    }));
    assertRefused((await stack.preview({ expectFailure: true })).output, "RESET_WITH_RECOVERY");
  });

  it("VOLUME_NOT_EMPTY: the new volume holds something", async () => {
    const volume = await extraVolume("holds-something");
    await inVolumes({ [volume]: "/var/lib/postgresql/data" }, "echo something > $PGDATA/file");
    await previewed("VOLUME_NOT_EMPTY", { target: { restorePoint: "a-point" }, volume });
    assert.equal(await inVolumes({ [volume]: "/v" }, "ls -A /v; cat /v/file"), "file\nsomething");
  });

  it("VOLUME_GONE: a volume without data is named, and no recovery into it", async () => {
    for (const volume of [`${stack.project}-mistyped`, await extraVolume("empty")]) {
      await stack.configure(options, (config) => archived(config, { volume }));
      assertRefused((await stack.preview({ expectFailure: true })).output, "VOLUME_GONE");
    }
  });

  it("ARCHIVE_OFF: there is no archive", async () => {
    const backup = { repository: stack.volumes.dumps };
    const output = await previewed("ARCHIVE_OFF", {
      target: { restorePoint: "a-point" },
      cluster: { backup },
    });
    assert.match(output, /Set rollback:cluster\.backup\.schedule/);
  });

  it("PARAMS_TOO_LOW: a setting is lower than the source's", async () => {
    const settings = { max_connections: "50" };
    const output = await previewed("PARAMS_TOO_LOW", {
      target: { restorePoint: "a-point" },
      cluster: { settings },
    });
    assert.match(output, /max_connections 100, not 50/);
  });

  it("MAJOR_MISMATCH: the image is another PostgreSQL", async () => {
    const other = await image("sixteen", [
      "USER root",
      `RUN p=$(dirname "$(readlink -f "$(command -v initdb)")")/postgres && rm "$p" && printf '#!/bin/sh\\necho "postgres (PostgreSQL) 16.9"\\n' > "$p" && chmod 755 "$p"`,
      "USER postgres",
    ]);
    await previewed("MAJOR_MISMATCH", { target: { restorePoint: "a-point" }, cluster: { image: other } });
  });

  it("WRONG_CLUSTER: archive, or volume gone to, belong to another one", async () => {
    const [data, repository] = [await extraVolume("other-data"), await extraVolume("other-dumps")];
    await inVolumes(
      { [data]: "/var/lib/postgresql/data", [repository]: "/var/lib/dumps" },
      `initdb --auth=trust > /dev/null
       printf '[global]\\nrepo1-path=/var/lib/dumps/pgbackrest\\nlog-level-file=off\\nlock-path=/tmp\\nstart-fast=y\\n[main]\\npg1-path=%s\\n' $PGDATA > /tmp/c
       get="pgbackrest --config=/tmp/c --stanza=main"
       pg_ctl -w start -l /tmp/log -o "-c archive_mode=on -c wal_level=replica -c 'archive_command=$get archive-push %p'" > /dev/null
       $get stanza-create; $get backup > /dev/null; pg_ctl -w stop > /dev/null`,
    );
    const backup = { repository, schedule: "0 3 1 1 *" };
    await previewed("WRONG_CLUSTER", { target: { restorePoint: "a-point" }, cluster: { backup } });
    await stack.configure(options, (config) => archived(config, { volume: data }));
    assertRefused((await stack.preview({ expectFailure: true })).output, "WRONG_CLUSTER");
  });

  it("NO_SPACE: the new volume is too small", async () => {
    const volume = await extraVolume("small", ["type=tmpfs", "device=tmpfs", "o=size=64m"]);
    await previewed("NO_SPACE", { target: { restorePoint: "a-point" }, volume });
  });

  it("ROLLBACK_IN_PROGRESS: the target lies between the two phases of a schema change", async () => {
    const gid = "rollback:some-run:1:mealie";
    await server(`begin; ${insert}; prepare transaction '${gid}'`);
    await point("half-way");
    await server(`rollback prepared '${gid}'`);
    await server(insert);
    await previewed("ROLLBACK_IN_PROGRESS", { target: { restorePoint: "half-way" } });
  });

  it("WAL_GAP: a segment is missing, or damaged", async () => {
    await server(insert);
    const [row] = await server("select pg_walfile_name(pg_current_wal_insert_lsn()) as name");
    const segment = String(row?.["name"]);
    await archivedUpToNow();
    await server(insert);
    // What the volume still holds itself is read from there.
    await shell(`rm -f $PGDATA/pg_wal/${segment}`);
    const files = `${archive}/${segment.slice(0, 16)}/${segment}-*`;
    await shell(`mkdir /tmp/aside && mv ${files} /tmp/aside`);
    await point("behind-the-gap");
    await server(insert);
    const output = await previewed("WAL_GAP", { target: { restorePoint: "a-point" }, laterWrites: "keep" });
    assert.match(output, new RegExp(segment));
    await previewed("WAL_GAP", { target: { restorePoint: "behind-the-gap" } });
    await previewed("WAL_GAP", { target: { restorePoint: "nowhere" } });
    await shell(
      `for f in /tmp/aside/*; do head -c $(($(stat -c %s "$f") / 2)) "$f" > ${archive}/${segment.slice(0, 16)}/$(basename "$f"); done`,
    );
    await previewed("WAL_GAP", { target: { restorePoint: "a-point" }, laterWrites: "keep" });
    await shell(`mv -f /tmp/aside/* ${archive}/${segment.slice(0, 16)}/`);
  });

  it("ARCHIVE_FAILED: what is written now does not reach the archive", async () => {
    await shell(`chmod a-w ${archive} ${archive}/*`);
    await server(insert);
    await server("select pg_switch_wal()", "postgres");
    await shell(
      `until psql -qAtc 'select failed_count > 0 from pg_stat_archiver' | grep -q t; do sleep 0.2; done`,
    );
    try {
      await previewed("ARCHIVE_FAILED", { target: { restorePoint: "a-point" } });
    } finally {
      await shell(`chmod u+w ${archive} ${archive}/*`);
      await archivedUpToNow();
    }
  });

  it("MANIFEST_BAD: a file of the base backup is damaged", async () => {
    const file = "/var/lib/dumps/pgbackrest/backup/main/*F/pg_data/global/1262.*";
    await shell(`cp ${file} /tmp/kept && head -c 20 /tmp/kept > ${file}`);
    await tried("MANIFEST_BAD", { target: { restorePoint: "a-point" } });
    await shell(`cat /tmp/kept > ${file}`);
  });

  it("RECOVERY_MISSED: replay stops elsewhere", async () => {
    const other = await image("elsewhere", [
      `ENTRYPOINT ["bash", "-c", "[ ! -e $PGDATA/recovery.signal ] || set -- -c recovery_target_lsn= -c recovery_target_name=a-point; exec rollback-postgres \\"$@\\"", "start"]`,
    ]);
    const [row] = await server(`${insert} returning pg_current_xact_id()::text as xid`);
    await server(insert);
    await tried("RECOVERY_MISSED", { target: { xid: String(row?.["xid"]) }, cluster: { image: other } });
  });

  it("LATER_WRITES: somebody wrote while the new volume was restored, and nobody has decided about that", async () => {
    await point("now");
    await askRecovery(stack, options, { target: { restorePoint: "now" } });
    assert.match((await stack.preview()).output, /no row of the application is left behind/);
    const running = await stack.startUp();
    await running.waitFor(lineOf("backup", /^restored /));
    await server("insert into meals (name, slot, calories) values ('written meanwhile', 'lunch', 100)");
    const { output, exitCode } = await running.ended;
    assert.notEqual(exitCode, 0);
    assertRefused(output, "LATER_WRITES");
    assert.match(output, /1 rows were written .*public\.meals: 1 inserted/);
    const there = await server("select name from meals where name = 'written meanwhile'");
    assert.deepEqual(there, [{ name: "written meanwhile" }]);
    // Behind the fence the applications' roles were closed: they are open again.
    assert.equal((await askStack(stack, "/api/meals")).status, 200);
  });

  it("TIMELINE_AMBIGUOUS: at that time there were writes that an earlier recovery left behind", async () => {
    const written = async (): Promise<string> => {
      const [row] = await server(`${insert} returning pg_current_xact_id()::text as xid`);
      const [time] = await server(
        `select to_char(pg_xact_commit_timestamp('${String(row?.["xid"])}'::xid) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00') as at`,
      );
      return String(time?.["at"]);
    };
    const [kept, left] = [await written(), await written()];
    await askRecovery(stack, options, { target: { time: kept }, laterWrites: "drop" });
    await stack.up();
    started = await serverStart();
    inUse = `${stack.volumes.data}-2`;
    await server(insert);
    const from = inUse;
    const volume = `${stack.volumes.data}-3`;
    await previewed("TIMELINE_AMBIGUOUS", { target: { time: left }, from, volume });
    await askRecovery(stack, options, { target: { time: kept }, from, volume, laterWrites: "drop" });
    await stack.preview();
  });

  it("but goes to a target before a segment that is gone for good, if what came later is dropped anyway", async () => {
    const count = async (): Promise<unknown> => (await server("select count(*)::int as meals from meals"))[0];
    const wanted = await count();
    await point("before-the-gap");
    await server(insert);
    await server("select pg_switch_wal()", "postgres");
    const [row] = await server("select pg_walfile_name(pg_current_wal_lsn()) as name");
    const segment = String(row?.["name"]);
    await server(insert);
    await archivedUpToNow();
    await server(insert);
    await shell(`rm -f $PGDATA/pg_wal/${segment} ${archive}/${segment.slice(0, 16)}/${segment}-*`);
    const way = { from: `${stack.volumes.data}-2`, volume: `${stack.volumes.data}-3` };
    await askRecovery(stack, options, {
      target: { restorePoint: "before-the-gap" },
      ...way,
      laterWrites: "drop",
    });
    const { output } = await stack.preview();
    assert.match(output, new RegExp(`WARNING: the WAL behind the target has a gap \\(${segment}\\)`));
    assert.match(output, /at least 1 transactions are left behind/);
    await stack.up();
    started = await serverStart();
    inUse = way.volume;
    assert.deepEqual(await count(), wanted);
    const [event] = await server(
      "select details->>'uncountedBehind' as gap from rollback.event where kind = 'recovered' order by id desc limit 1",
    );
    assert.deepEqual(event, { gap: segment });
  });

  it("RECOVERY_SCHEMA: behind a gap lies a migration that had begun before the target, which nobody could know", async () => {
    // The migration's transaction stays open for a while after it has written its event.
    await server(
      "create function rollback.slowly() returns trigger language plpgsql as $$ begin perform pg_sleep(2); return null; end $$",
    );
    await server("create trigger slowly after insert on rollback.event execute function rollback.slowly()");
    await server("create table beside (xid text, segment text)", "postgres");
    const release: StackOptions = { ...options, live: { "1.2.1": 100 } };
    await stack.configure(release, (config) => archived(config, { volume: inUse }));
    const running = await stack.startUp();
    const over = running.ended.then(() => true);
    // Others commit meanwhile, each in a segment of its own.
    while (!(await Promise.race([over, sleep(50, false)]))) {
      const waiting = await server("select from pg_stat_activity where wait_event = 'PgSleep'", "postgres");
      if (waiting.length === 0) continue;
      const segment = "pg_walfile_name(pg_current_wal_insert_lsn())";
      await server(`insert into beside values (pg_current_xact_id()::text, ${segment})`, "postgres");
      await server("select pg_switch_wal()", "postgres");
    }
    const { exitCode, output } = await running.ended;
    assert.equal(exitCode, 0, output);
    started = await serverStart();
    await server("drop function rollback.slowly() cascade");
    const [migration] = await server(
      `select at::text as begun, pg_xact_commit_timestamp(xmin)::text as committed
         from rollback.event where kind = 'schema' order by id desc limit 1`,
    );
    const between = await stack.query(
      "postgres",
      "select xid, segment from beside where pg_xact_commit_timestamp(xid::xid) between $1 and $2 order by xid::bigint desc",
      [migration?.["begun"], migration?.["committed"]],
    );
    // Not the last one: the migration may have been committed in the same segment right after it.
    const target = between[1];
    assert.ok(target, "two transactions between the migration's beginning and its end");
    const lost = following(String(target["segment"]));
    await archivedUpToNow();
    await shell(`rm -f $PGDATA/pg_wal/${lost} ${archive}/${lost.slice(0, 16)}/${lost}-*`);
    const volume = `${stack.volumes.data}-4`;
    await askRecovery(stack, release, {
      ...{ target: { xid: String(target["xid"]) }, from: inUse, volume, laterWrites: "drop" },
    });
    const { output: refusal } = await stack.up({ expectFailure: true });
    assertRefused(refusal, "RECOVERY_SCHEMA");
    assert.match(refusal, /the schema of meal_planner is 20, not 23 as the events say/);
    assert.match((await stack.preview()).output, new RegExp(`has a gap \\(${lost}\\)`));
  });
});

/** Name of the segment after this one. */
function following(segment: string): string {
  const timeline = Number.parseInt(segment.slice(0, 8), 16);
  return segmentName(timeline, segmentStart(segment) + 16n * 1024n * 1024n);
}
