import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { docker } from "../../operations/docker/run.ts";
import { removeInstance, startInstance, type Instance } from "../../operations/recovery/instance.ts";
import { settingsOf } from "../unit/plan/fixture.ts";

describe("the server that is recovered beside the one that serves", function () {
  this.timeout(60_000);
  const volume = `rbt-instance-${randomBytes(3).toString("hex")}`;
  const settings = { ...settingsOf({ live: { "1.2.0": 100 } }), project: volume };
  const made: string[] = [];
  const start = async (instead?: string): Promise<Instance> => {
    const { cluster } = settings;
    assert.equal(cluster.kind, "own");
    const instance = await startInstance({
      ...{ settings, cluster: { ...cluster, backup: { ...cluster.backup, repository: { volume } } }, volume },
      ...{ from: undefined, repository: "rw" as const, serve: false },
      ...(instead !== undefined && { instead }),
    });
    made.push(instance.container);
    return instance;
  };
  const isThere = async (id: string): Promise<boolean> =>
    (await docker(["ps", "-aq", "--no-trunc", "--filter", `id=${id}`])) !== "";

  after(async () => {
    for (const id of made) await removeInstance(id);
    await docker(["volume", "rm", "--force", volume]);
  });

  it("of a killed run gives way to that of the next; what is left of the former touches it no more", async () => {
    const overtaken = await start();
    const later = await start();
    assert.equal(await isThere(overtaken.container), false);
    await removeInstance(overtaken.container);
    await assert.rejects(start(overtaken.container), /already in use/);
    assert.equal(await isThere(later.container), true);
  });
});
