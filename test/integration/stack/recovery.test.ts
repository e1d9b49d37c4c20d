import assert from "node:assert/strict";
import path from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { docker } from "../../../operations/docker/run.ts";
import { assertServes, schemaVersions } from "../../support/stack-checks.ts";
import { restoredByDefault, volumeChecksum } from "../../support/recovery.ts";
import { at, killedAt } from "../../support/kill-trials.ts";
import { lineOf } from "../../support/stack-events.ts";
import { createStack, type Config, type ScratchStack } from "../../support/stack.ts";

const quick = { safety: { bake: "0s" }, redis: false } as const;

describe("a recovery to a point in time as an `up`, and its undo", function () {
  this.timeout(300_000);
  let stack: ScratchStack;
  let volume: string;
  let sum: string;

  const archived = (config: Config, more: object = {}): Config => {
    const cluster = config["rollback:cluster"] as Record<string, unknown>;
    const backup = { ...(cluster["backup"] as object), schedule: "0 3 * * *" };
    return { ...config, "rollback:cluster": { ...cluster, backup, ...more } };
  };
  const configure = (live: "1.2.0" | "1.2.1", recovery?: object, dataVolume?: string): Promise<void> =>
    stack.configure({ ...quick, live: { [live]: 100 }, releases: ["1.2.0", "1.2.1"] }, (config) => ({
      ...archived(config, dataVolume === undefined ? {} : { volume: dataVolume }),
      ...(recovery === undefined ? {} : { "rollback:recovery": recovery }),
    }));
  const recover = (target: object, live: "1.2.0" | "1.2.1" = "1.2.0", more: object = {}): Promise<void> =>
    configure(live, { volume, from: stack.volumes.data, target, ...more }, volume);
  const write = (name: string): Promise<unknown> =>
    stack.query("meal_planner", "insert into meals (name, slot, calories) values ($1, 'lunch', 100)", [name]);
  const kept = async (): Promise<unknown[]> =>
    (await stack.query("meal_planner", "select name from meals order by name")).map(({ name }) => name);
  const checksum = (): Promise<string> => volumeChecksum(stack.volumes.data);
  const refused = async (code: string): Promise<void> => {
    const { output } = await stack.preview({ expectFailure: true });
    assert.match(output, new RegExp(`refused ${code}:`));
  };

  before(async () => {
    stack = await createStack();
    volume = `${stack.volumes.data}-2`;
    await configure("1.2.0");
    await stack.up();
    await write("before the release");
    await configure("1.2.1");
    await stack.up();
    await write("after the release");
  });
  after(async () => {
    await stack.cleanup();
    await docker(["volume", "rm", "-f", volume]);
  });

  it("archives the WAL and has a base backup after the first up", async () => {
    const info = await docker([
      ...["exec", stack.names.postgres, "pgbackrest", "--stanza=main", "info"],
      "--config=/var/lib/postgresql/data/rollback-pgbackrest.conf",
    ]);
    assert.match(info, /status: ok/);
    assert.match(info, /full backup: /);
  });

  it("refuses each target that cannot be reached, with its own code and nothing stopped", async () => {
    for (const [code, target] of [
      ["NAME_ABSENT", { restorePoint: "nobody" }],
      ["NAME_ABSENT", { before: "1.2.0" }],
      ["XID_ABSENT", { xid: "4000000000" }],
      ["AFTER_LAST_COMMIT", { time: "2199-01-01 00:00:00+00" }],
      ["AFTER_LAST_COMMIT", { lsn: "FF/0" }],
      ["BEFORE_BACKUP_END", { time: "2001-01-01 00:00:00+00" }],
    ] as const) {
      await recover(target);
      await refused(code);
    }
    await assertServes(stack, "1.2.1");
  });

  it("refuses a schema that the live release does not fit, and later writes that nobody spoke of", async () => {
    await recover({ before: "1.2.1" }, "1.2.1");
    await refused("RECOVERY_SCHEMA");
    await recover({ before: "1.2.1" });
    await refused("LATER_WRITES");
  });

  it("says in a preview where it ends and what is left behind", async () => {
    await recover({ before: "1.2.1" }, "1.2.0", { laterWrites: "keep" });
    const { output } = await stack.preview();
    assert.match(output, /recovery into \S+: timeline 1, \S+ exclusive/);
    assert.match(output, /left behind: meal_planner public\.meals: 1 inserted/);
    assert.doesNotMatch(
      output,
      /postgresql:index:(Database|Schema|Grant|Extension) .*(delete|replace)|postgresql:index:Role .*(delete(?!\[retain\])|replace)/,
    );
  });

  it("shows on the command line what was there before the release, before anything is taken back", async () => {
    const command = path.join(import.meta.dirname, "../../../cli/rollback.mjs");
    const rollback = async (...args: string[]): Promise<string> =>
      (
        await execa(process.execPath, [command, "recover", "look", ...args, "--stack", stack.stack], {
          cwd: path.join(stack.folder, "project"),
          env: stack.env,
        })
      ).stdout;
    const shown = await rollback("--at", "before=1.2.1", "--json", "--sql", "select name from meals");
    assert.deepEqual(z.object({ rows: z.unknown() }).parse(JSON.parse(shown)).rows, [
      { name: "before the release" },
    ]);
    assert.match(await rollback("--end"), /removed/);
  });

  it("recovers beside the volume in use and serves from there, exactly before the release", async () => {
    const running = await stack.startUp();
    await running.waitFor(lineOf("backup", /^restored /));
    await write("while it restored");
    const { output, exitCode } = await running.ended;
    assert.equal(exitCode, 0, output);
    assert.match(output, /1 more rows were written while this was prepared/);
    assert.match(output, /kept \d+ rows that were written later/);
    const salvaged = await docker([
      "exec",
      stack.names.postgres,
      "bash",
      "-c",
      "cat /var/lib/dumps/salvage/*/meal_planner.jsonl",
    ]);
    assert.match(salvaged, /while it restored/);
    await assertServes(stack, "1.2.0");
    assert.deepEqual(await kept(), ["before the release"]);
    assert.deepEqual(await schemaVersions(stack), { meal_planner: "20", mealie: "4" });
    const events = await stack.query(
      "meal_planner",
      "select kind from rollback.event order by id desc limit 1",
    );
    assert.deepEqual(events, [{ kind: "recovered" }]);
    sum = await checksum();
  });

  it("finds nothing to do afterwards, and keeps the old volume as it was", async () => {
    await stack.up({ args: ["--expect-no-changes"] });
    assert.equal(await checksum(), sum);
  });

  it("refuses the way back to the old volume once there are later writes, and goes it when told what becomes of them", async () => {
    await write("after the recovery");
    await configure("1.2.1");
    await refused("LATER_WRITES");
    const recovery = { volume, from: stack.volumes.data, target: { before: "1.2.1" }, laterWrites: "drop" };
    await configure("1.2.1", recovery);
    await stack.up();
    await assertServes(stack, "1.2.1");
    assert.deepEqual(await kept(), ["after the release", "before the release", "while it restored"]);
    const timeline = await stack.query(
      "postgres",
      "select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int as now",
    );
    assert.deepEqual(timeline, [{ now: 3 }]);
  });

  it("is found by a plain restore of the archive afterwards, and not the branch that was left", async () => {
    await write("after the undo");
    const sql = "select name from meals order by name";
    const restored = await restoredByDefault(stack, stack.volumes.data, "meal_planner", sql);
    assert.deepEqual(restored, await kept());
    assert.ok(restored.includes("after the undo"));
  });

  it("sets a restore point before a release without migrations, too", async () => {
    await stack.configure({ ...quick, live: { "1.2.3": 100 }, releases: ["1.2.1", "1.2.3"] }, (config) =>
      archived(config),
    );
    const { output } = await stack.up();
    assert.match(output, /no schema changes: no dump/);
    assert.match(output, /restore point before-\S+ at \S+, timeline 3/);
  });

  describe("when it is killed once its timeline is open, and taken back", () => {
    const abandoned = (): string => `${stack.volumes.data}-3`;
    const timeline = async (): Promise<unknown> =>
      (
        await stack.query(
          "postgres",
          "select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int as now",
        )
      )[0]?.["now"];
    const stay = (): Promise<void> =>
      stack.configure({ ...quick, live: { "1.2.3": 100 }, releases: ["1.2.1", "1.2.3"] }, (config) =>
        archived(config),
      );
    after(() => docker(["volume", "rm", "-f", abandoned()]));

    it("leaves the archive with a timeline that a plain restore would follow, which the preview says", async () => {
      await stack.configure({ ...quick, live: { "1.2.1": 100 }, releases: ["1.2.1", "1.2.3"] }, (config) => ({
        ...archived(config, { volume: abandoned() }),
        "rollback:recovery": {
          ...{ volume: abandoned(), from: stack.volumes.data },
          ...{ target: { before: "1.2.3" }, laterWrites: "drop" },
        },
      }));
      await killedAt(stack, at(lineOf("recovery", /^timeline 4: roles/)));
      await stay();
      const { output } = await stack.preview();
      assert.match(output, /the archive has timeline 4, .* and the server is on timeline 3 of \S+-pgdata:/);
      assert.match(output, /requests are held while .*the server opens a new timeline/);
    });

    it("goes on on a newer timeline of the volume in use, also when the abandoned one is gone, and is found by a plain restore", async () => {
      await docker(["rm", "-f", stack.names.volume("recovering")]);
      await docker(["volume", "rm", abandoned()]);
      const { output } = await stack.up();
      assert.match(output, /\S+-pgdata goes on, on timeline 5, which a restore from the archive follows/);
      await assertServes(stack, "1.2.3");
      assert.equal(await timeline(), 5);
      await write("after it was taken back");
      const sql = "select name from meals order by name";
      const restored = await restoredByDefault(stack, stack.volumes.data, "meal_planner", sql);
      assert.deepEqual(restored, await kept());
      assert.ok(restored.includes("after it was taken back"));
      const events = await stack.query(
        "meal_planner",
        "select kind, details from rollback.event order by id desc limit 1",
      );
      assert.deepEqual(events, [
        { kind: "reopened", details: { volume: stack.volumes.data, from: 3, timeline: 5 } },
      ]);
    });

    it("finds nothing to do afterwards, and recovers to before a release on the timeline before", async () => {
      await stack.up({ args: ["--expect-no-changes"] });
      const next = `${stack.volumes.data}-4`;
      await configure(
        "1.2.1",
        { volume: next, from: stack.volumes.data, target: { before: "1.2.3" }, laterWrites: "drop" },
        next,
      );
      assert.match((await stack.preview()).output, /recovery into \S+: timeline 3, \S+ exclusive/);
    });
  });
});
