import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { baseBackup } from "../../operations/archive/base-backup.ts";
import { archiveUpToNow } from "../../operations/archive/set-up.ts";
import { archiveProblems } from "../../operations/archive/verify.ts";
import { describeWaiting, measureWaiting } from "../../operations/archive/waiting.ts";
import { waitUntilReady } from "../../operations/database/connection.ts";
import { observeServer } from "../../operations/database/observe.ts";
import { docker } from "../../operations/docker/run.ts";
import { access } from "../../operations/plan/access.ts";
import { isRefusal } from "../../settings/refusal.ts";
import { startArchivedServer, type ArchivedServer } from "../support/archived-server.ts";

describe("a disk that becomes full", function () {
  this.timeout(180_000);
  let server: ArchivedServer;

  const inside = (script: string): Promise<string> =>
    docker(["exec", "-u", "postgres", server.container, "bash", "-ec", script]);
  const fill = (folder: string, leave = 0): Promise<string> =>
    inside(
      `free=$(df -P --block-size=1M ${folder} | awk 'NR==2{print $4}'); dd if=/dev/zero of=${folder}/filler bs=1M count=$((free + 1 - ${String(leave)})) status=none || true`,
    );
  const unarchived = async (): Promise<string | null> =>
    (await observeServer(access(server.settings), { roles: [], rolePrefixes: [], settings: [] })).unarchived;
  /** Rows in transactions of their own, until PostgreSQL takes no more. @returns how many it has acknowledged. */
  const writeUntilRefused = async (): Promise<number> => {
    for (let rows = 0; ; rows += 1) {
      try {
        await server.query(
          "meal_planner",
          "insert into t select string_agg(gen_random_uuid()::text, '') from generate_series(1, 60000)",
        );
      } catch {
        return rows;
      }
      assert.ok(rows < 1000, "the disk never becomes full");
    }
  };

  describe("the repository's", () => {
    before(async () => {
      server = await startArchivedServer({ dumps: "60m" });
      await server.query("meal_planner", "create table t (x text)");
    });
    after(() => server.cleanup());

    it("is noticed by what waits, with what is free for more and how long that lasts; nothing is missing afterwards", async () => {
      await fill("/var/lib/dumps");
      await server.query(
        "meal_planner",
        "insert into t select gen_random_uuid() from generate_series(1, 200000)",
      );
      const [row] = await server.query("postgres", "select pg_walfile_name(pg_switch_wal()) as segment");
      while ((await unarchived()) === null) await sleep(200);
      const waiting = await measureWaiting(server.container, access(server.settings));
      assert.ok(waiting.segments >= 1 && waiting.bytes === waiting.segments * 16 * 1024 ** 2);
      assert.match(
        describeWaiting(waiting),
        /^\d segments of WAL \(\d+ MB\) wait, nothing was archived since 20\S+Z; .*B are free for more, enough for about [\d.]+ (minutes|hours|days)/,
      );
      await assert.rejects(archiveUpToNow(server.container), (error) => isRefusal(error, "ARCHIVE_FAILED"));
      await inside("rm /var/lib/dumps/filler");
      await archiveUpToNow(server.container);
      assert.equal(await unarchived(), null);
      assert.deepEqual(await archiveProblems(server.container), []);
      assert.match(
        await inside("ls -R /var/lib/dumps/pgbackrest/archive"),
        new RegExp(String(row?.["segment"])),
      );
    });
  });

  describe("the repository's, during a base backup", () => {
    before(async () => {
      server = await startArchivedServer({ dumps: "60m" });
    });
    after(() => server.cleanup());

    it("is told, leaves what the WAL needs, and the older backups; with room again the next one is made", async () => {
      const backups = (): Promise<string> => inside("cd /var/lib/dumps/pgbackrest/backup/main; ls -d 2*");
      const free = (): Promise<string> => inside("df -P -k /var/lib/dumps | awk 'NR==2{print $4}'");
      const make = (): Promise<void> =>
        baseBackup({ container: server.container, say: () => undefined }, "full");
      const before = await backups();
      await fill("/var/lib/dumps", 2);
      const room = Number(await free());
      await assert.rejects(make(), (error) => {
        assert.ok(isRefusal(error, "ARCHIVE_FAILED"), String(error));
        return /What was written of this base backup was removed; older ones stay/.test(error.message);
      });
      assert.equal(await backups(), before);
      assert.ok(Number(await free()) > room - 1024, `${await free()} of ${room} KiB`);
      await inside("rm /var/lib/dumps/filler");
      await make();
      assert.deepEqual(await archiveProblems(server.container), []);
    });

    it("takes nothing from a backup that another one is just making: what is removed is removed under the lock of that one", async () => {
      const unfinished = "/var/lib/dumps/pgbackrest/backup/main/20200101-000000F";
      await inside(`mkdir ${unfinished}; echo x > ${unfinished}/part`);
      await fill("/var/lib/dumps");
      const lock = "/tmp/pgbackrest/main-backup-1.lock";
      const holding = inside(`exec flock ${lock} sleep 8`);
      await inside(`while flock -n ${lock} true; do sleep 0.1; done`);
      await assert.rejects(
        baseBackup({ container: server.container, say: () => undefined }, "full"),
        /ARCHIVE_FAILED: pgBackRest: .*unable to acquire lock/,
      );
      assert.equal(await inside(`cat ${unfinished}/part`), "x");
      await holding;
    });
  });

  describe("that of the server, because nothing is archived", () => {
    before(async () => {
      server = await startArchivedServer({ data: "200m" });
      await server.query("meal_planner", "create table t (x text)");
    });
    after(() => server.cleanup());

    it("ends PostgreSQL; with room again it starts, every row that was acknowledged is there, and so is its WAL", async () => {
      const repository = "/var/lib/dumps/pgbackrest";
      await inside(`chmod 000 ${repository}`);
      // Room that is given back later.
      await inside("head -c 30M /dev/zero > $PGDATA/filler");
      const acknowledged = await writeUntilRefused();
      assert.ok(acknowledged > 5);
      const log = await docker(["logs", server.container], { errorsToo: true });
      assert.match(log, /(PANIC|FATAL|ERROR): {2}could not .*No space left on device/);
      const helper = ["run", "--rm", "--volumes-from", server.container, "--entrypoint", "bash"];
      await docker([
        ...helper,
        server.settings.cluster.image,
        "-ec",
        `rm $PGDATA/filler; chmod 700 ${repository}`,
      ]);
      await docker(["restart", "--time", "10", server.container]);
      await waitUntilReady(access(server.settings), 60_000, () => undefined);
      const [row] = await server.query("meal_planner", "select count(*)::int as rows from t");
      assert.equal(row?.["rows"], acknowledged);
      await archiveUpToNow(server.container);
      assert.equal(await unarchived(), null);
      assert.deepEqual(await archiveProblems(server.container), []);
    });
  });
});
