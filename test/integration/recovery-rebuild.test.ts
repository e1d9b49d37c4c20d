import assert from "node:assert/strict";
import { archiveUpToNow } from "../../operations/archive/set-up.ts";
import { docker } from "../../operations/docker/run.ts";
import { observeVolume } from "../../operations/recovery/finished.ts";
import { rebuild, type Rebuilt } from "../../operations/recovery/rebuild/rebuild.ts";
import { sourceDown } from "../../operations/recovery/rebuild/source-down.ts";
import { dataFolder } from "../../settings/archive.ts";
import { isRefusal } from "../../settings/refusal.ts";
import type { OwnCluster } from "../../settings/types.ts";
import { startArchivedServer, type ArchivedServer } from "../support/archived-server.ts";

describe("a server that does not start any more", function () {
  this.timeout(240_000);
  let server: ArchivedServer;
  let own: OwnCluster;
  const volumes: string[] = [];

  const inOld = (script: string, mode: "ro" | "rw" = "rw"): Promise<string> =>
    docker([
      ...["run", "--rm", "-u", "postgres", "-v", `${own.volume}:${dataFolder}:${mode}`],
      ...["-v", `${server.settings.project}-dumps:/var/lib/dumps`, own.image, "sh", "-ec", script],
    ]);
  const archive = "/var/lib/dumps/pgbackrest/archive/main/17-1/0000000100000000";
  const checksum = (): Promise<string> =>
    inOld(`cd ${dataFolder}; find . -type f -exec sha256sum {} + | sort | sha256sum`, "ro");
  const newVolume = (end: string): string => {
    const volume = `${server.settings.project}-${end}`;
    volumes.push(volume);
    return volume;
  };
  const into = (
    volume: string,
    { say = () => undefined, toGap = false }: { say?: (line: string) => void; toGap?: boolean } = {},
  ): Promise<Rebuilt> =>
    rebuild({ settings: server.settings, cluster: own, from: own.volume, into: volume, toGap, say });
  /** What a server on the volume holds; it archives nothing. */
  const countOn = (volume: string): Promise<string> =>
    docker([
      ...["run", "--rm", "-u", "postgres", "-v", `${volume}:${dataFolder}`, own.image, "sh", "-ec"],
      'pg_ctl -w -t 120 -o "-c archive_mode=off" start >/dev/null; psql -XAtd meal_planner -c "select count(*), max(x) from t"; pg_ctl -w stop >/dev/null',
    ]);

  before(async () => {
    server = await startArchivedServer();
    const { cluster } = server.settings;
    assert.equal(cluster.kind, "own");
    own = cluster;
    await server.query("meal_planner", "create table t (x int)");
    for (let n = 1; n <= 3; n += 1) {
      await server.query("meal_planner", `insert into t select generate_series(1, ${String(n * 1000)})`);
      await archiveUpToNow(server.container);
    }
    // Full, and not in the archive; and then what lies in an open segment.
    await server.query(
      "meal_planner",
      "alter system set archive_command = 'false'",
      "select pg_reload_conf()",
    );
    await server.query("meal_planner", "insert into t values (7)", "select pg_switch_wal()");
    await server.query("meal_planner", "insert into t values (424242)");
  });
  after(async () => {
    await server.cleanup();
    if (volumes.length > 0) await docker(["volume", "rm", "-f", ...volumes]);
  });

  it("is not taken for one while it runs, or is started over and over", async () => {
    const asked = { named: undefined, into: "another" };
    const refused = (): Promise<void> =>
      assert.rejects(sourceDown(server.settings, own, asked), (error) => isRefusal(error, "SOURCE_RUNS"));
    await refused();
    await docker(["kill", server.container]);
    await inOld(`cd ${dataFolder}; mv global/pg_control /var/lib/dumps/; rm postmaster.pid`);
    assert.equal(await sourceDown(server.settings, own, asked), own.volume);
    await assert.rejects(sourceDown(server.settings, own, { named: undefined, into: own.volume }), (error) =>
      isRefusal(error, "VOLUME_NOT_EMPTY"),
    );
  });

  it("is put together again up to its last transaction, though nothing of that was archived; its volume stays as it is", async () => {
    const before = await checksum();
    const volume = newVolume("rebuilt");
    const { timeline, lastCommit } = await into(volume);
    assert.equal(timeline, 2);
    assert.match(lastCommit ?? "", /^20\d\d-/);
    assert.equal(await checksum(), before);
    const { state, rebuiltFrom } = await observeVolume(server.settings, { ...own, volume });
    assert.deepEqual([state, rebuiltFrom], ["cluster", own.volume]);
    assert.equal(await countOn(volume), "6002|424242");
  });

  it("has every full segment in the archive then, but not the open one, which might still change", async () => {
    const waiting = await inOld(
      `cd ${dataFolder}/pg_wal; ls archive_status | grep ready; ls | grep ^0 | tail -n 1`,
      "ro",
    );
    const names = waiting.match(/[0-9A-F]{24}(?=\.ready)/g) ?? [];
    assert.ok(names.length >= 1, waiting);
    const archived = await inOld(`ls ${archive}`);
    for (const name of names) assert.match(archived, new RegExp(`^${name}-`, "m"));
    const after = Number.parseInt((names.at(-1) ?? "").slice(-8), 16) + 1;
    assert.doesNotMatch(
      archived,
      new RegExp(`^00000001.*${after.toString(16).toUpperCase().padStart(8, "0")}-`, "m"),
    );
  });

  it("is put together again also when its control file can be read, and once more, on a timeline of its own", async () => {
    await inOld(`mv /var/lib/dumps/pg_control ${dataFolder}/global/`);
    const volume = newVolume("again");
    assert.equal((await into(volume)).timeline, 3);
    assert.equal(await countOn(volume), "6002|424242");
  });

  it("is begun anew on a volume on which that was begun and cut short, but on no other that holds something", async () => {
    const volume = newVolume("cut-short");
    const cut = new Error("killed here");
    await assert.rejects(
      into(volume, {
        say: (line) => {
          if (line.startsWith("replaying")) throw cut;
        },
      }),
      cut,
    );
    assert.equal((await observeVolume(server.settings, { ...own, volume })).state, "unfinished");
    await into(volume);
    assert.equal(await countOn(volume), "6002|424242");
    await assert.rejects(into(volume), (error) => isRefusal(error, "VOLUME_NOT_EMPTY"));
  });

  it("is refused before anything is restored where a segment is neither in the archive nor on the volume", async () => {
    const gone = (await inOld(`cd ${archive}; ls | grep zst | tail -n 2 | head -n 1`)).trim();
    const name = gone.slice(0, 24);
    await inOld(
      `mv ${archive}/${gone} /var/lib/dumps/; mv ${dataFolder}/pg_wal/${name} /var/lib/dumps/ || true`,
    );
    const volume = newVolume("gap");
    await assert.rejects(into(volume), (error) => {
      assert.ok(isRefusal(error, "WAL_GAP"), String(error));
      return error.message.includes(name);
    });
    assert.equal(await docker(["volume", "ls", "-q", "--filter", `name=${volume}`]), "");
    await inOld(`mv /var/lib/dumps/${gone} ${archive}/`);
  });

  it("is refused, and not left short, where a segment in the middle is damaged", async () => {
    const file = (await inOld(`ls ${archive}/*.zst | tail -n 2 | head -n 1`)).trim();
    const name = file.split("/").at(-1)?.slice(0, 24) ?? "";
    await inOld(
      `cp ${file} /var/lib/dumps/kept; head -c 100 /var/lib/dumps/kept > ${file}; rm -f ${dataFolder}/pg_wal/${name}`,
    );
    const volume = newVolume("damaged");
    await assert.rejects(into(volume), (error) => {
      assert.ok(isRefusal(error, "WAL_GAP"), String(error));
      return error.message.includes("--to-gap");
    });
    assert.equal((await observeVolume(server.settings, { ...own, volume })).state, "unfinished");
    // As told: on the same volume, up to there.
    await into(volume, { toGap: true });
    assert.match(await countOn(volume), /^(1000\|1000|3000\|2000)$/);
  });
});
