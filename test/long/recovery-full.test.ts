import assert from "node:assert/strict";
import { archiveUpToNow } from "../../operations/archive/set-up.ts";
import { docker } from "../../operations/docker/run.ts";
import { observeVolume } from "../../operations/recovery/finished.ts";
import { planRecovery } from "../../operations/recovery/plan.ts";
import { prepareRecovery, type RecoveryRequest } from "../../operations/recovery/prepare.ts";
import { isRefusal } from "../../settings/refusal.ts";
import { stackLabels } from "../../settings/stack-names.ts";
import type { OwnCluster, Recovery } from "../../settings/types.ts";
import { startArchivedServer, type ArchivedServer } from "../support/archived-server.ts";
import { volumeInMemory } from "../support/volume-in-memory.ts";

describe("a recovery whose new volume becomes full", function () {
  this.timeout(180_000);
  let server: ArchivedServer;
  let own: OwnCluster;
  const volumes: string[] = [];

  const smallVolume = async (size: string): Promise<string> => {
    const volume = `${server.settings.project}-${size}`;
    volumes.push(volume);
    await volumeInMemory(volume, size, stackLabels(server.settings, "recovery"));
    return volume;
  };
  const request = async (volume: string, name: string, free?: number): Promise<RecoveryRequest> => {
    const target = { kind: "restorePoint", name } as const;
    const recovery: Recovery = { volume, from: own.volume, target, laterWrites: "drop" };
    const cluster = { ...own, volume };
    const settings = { ...server.settings, cluster, recovery };
    const plan = await planRecovery(settings, cluster, recovery, { schema: new Map(), free });
    return { settings, cluster, plan, say: () => undefined };
  };
  const stateOf = async ({ settings, cluster }: RecoveryRequest): Promise<string> =>
    (await observeVolume(settings, cluster)).state;
  const refusedFull = async (asked: RecoveryRequest): Promise<void> => {
    await assert.rejects(prepareRecovery(asked), (error) => {
      assert.ok(isRefusal(error, "NO_SPACE"), String(error));
      assert.match(error.message, /the volume in use was not touched/);
      return true;
    });
    const left = ["ps", "-aq", "--filter", `name=${server.settings.project}-test-recovering`];
    assert.equal(await docker(left), "");
  };

  before(async () => {
    server = await startArchivedServer();
    const { cluster } = server.settings;
    assert.equal(cluster.kind, "own");
    own = cluster;
    await server.query("postgres", "select pg_create_restore_point('small')");
    await server.query(
      "meal_planner",
      "create table large as select gen_random_uuid() as a, gen_random_uuid() as b from generate_series(1, 1200000)",
    );
    await server.query("postgres", "select pg_create_restore_point('large')", "select pg_switch_wal()");
    await archiveUpToNow(server.container);
    await server.query("meal_planner", "create table later (x int)");
  });
  after(async () => {
    await server.cleanup();
    if (volumes.length > 0) await docker(["volume", "rm", "-f", ...volumes]);
  });

  it("is refused beforehand where that can be foreseen: by what the data has become, and the WAL that replay keeps", async () => {
    // Room for the base backup and its reserve, but not for what was written since.
    await assert.rejects(request("any", "large", 600 * 1024 ** 2), (error) => {
      assert.ok(isRefusal(error, "NO_SPACE"), String(error));
      return /needs about [67]\d\d MB, 600 MB are free/.test(error.message);
    });
    await request("any", "large", 1024 ** 3);
  });

  it("while the base backup is restored, is refused as such, and begun anew by the next one", async () => {
    const asked = await request(await smallVolume("30m"), "small");
    for (const attempt of ["the first", "the second"]) {
      await refusedFull(asked);
      assert.equal(await stateOf(asked), "unfinished", attempt);
    }
  });

  it("while the WAL is replayed, is refused as such, and begun anew by the next one, too", async () => {
    const volume = await smallVolume("140m");
    const asked = await request(volume, "large");
    for (const attempt of ["the first", "the second"]) {
      await refusedFull(asked);
      assert.equal(await stateOf(asked), "unfinished", attempt);
    }
  });
});
