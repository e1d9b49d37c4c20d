import assert from "node:assert/strict";
import { ownPlace, shellIn } from "../../../operations/backup/place.ts";
import { waitUntilReady } from "../../../operations/database/connection.ts";
import { docker } from "../../../operations/docker/run.ts";
import { startLoad } from "../../support/load.ts";
import { assertRefused } from "../../support/recovery.ts";
import { createResetStack, type ResetStack } from "../../support/reset.ts";
import { assertServes, schemaVersions } from "../../support/stack-checks.ts";
import { changedResources } from "../../support/stack-events.ts";

describe("a database that is made anew", function () {
  this.timeout(300_000);
  let scene: ResetStack;
  before(async () => {
    scene = await createResetStack();
  });
  after(() => scene.cleanup());

  describe("by command", () => {
    it("is not, unless its name is given", async () => {
      const { exitCode, all } = await scene.command();
      assert.equal(exitCode, 1);
      assert.match(all, /refused RESET_UNCONFIRMED/);
      assert.deepEqual(await scene.databases(), ["meal_planner"]);
    });

    it("leaves the one in use as it is when it cannot go on, and begins anew after that", async () => {
      const { stack } = scene;
      await stack.query("postgres", "create database meal_planner_reset");
      const { all } = await scene.command("--confirm", "meal_planner");
      assert.match(all, /refused RESET_IMPOSSIBLE: a database meal_planner_reset exists/);
      assert.deepEqual(await scene.meals(), ["in the dump", "spoilt"]);
      // As a call leaves it that was killed as it had just made it.
      await stack.query("postgres", "alter database meal_planner_reset connection limit 0");
    });

    it("leaves nothing behind when the rows of a pack do not go in", async () => {
      await scene.keepPack("gone", "nothing_makes_this", [{ id: 1 }]);
      await scene.keepPack("wrong", "meals", [{ id: 1, name: "x", slot: "lunch", calories: -1 }]);
      for (const [pack, code] of [
        ["gone", "RESET_TABLES_GONE"],
        ["wrong", "RESET_LOAD_FAILED"],
      ] as const) {
        const { all } = await scene.command("--confirm", "meal_planner", "--no-dump", "--salvage", pack);
        assertRefused(all, code);
        assert.deepEqual(await scene.databases(), ["meal_planner"]);
      }
    });

    it("has the rows of dump and pack, keeps the old one, and the next up finds nothing to do", async () => {
      const { stack, pack } = scene;
      // As a call leaves it that was killed in the middle of the change: half made, and the database in use closed.
      await stack.query("postgres", "create database meal_planner_reset");
      await stack.query(
        "postgres",
        "comment on database meal_planner_reset is 'made by rollback reset, not in use yet'",
      );
      await stack.query("postgres", "alter database meal_planner connection limit 0");
      const kept = "meal_planner_kept";
      const { exitCode, all } = await scene.command(
        ...["--confirm", "meal_planner", "--salvage", pack, "--keep-as", kept],
      );
      assert.equal(exitCode, 0, all);
      assert.deepEqual(await scene.databases(), ["meal_planner", kept]);
      assert.deepEqual(
        [await scene.meals(), await scene.meals(kept)],
        [
          ["in the dump", "written later"],
          ["in the dump", "spoilt"],
        ],
      );
      assert.deepEqual(await schemaVersions(stack), { meal_planner: "23", mealie: "4" });
      await assertServes(stack, "1.2.1");
      await stack.up({ args: ["--expect-no-changes"] });
      await stack.up({ args: ["--refresh", "--expect-no-changes"] });
    });

    it("is put back, and the new one kept in its turn", async () => {
      const { exitCode, all } = await scene.command(
        ...["--confirm", "meal_planner", "--back", "meal_planner_kept", "--keep-as", "meal_planner_new"],
      );
      assert.equal(exitCode, 0, all);
      assert.deepEqual(await scene.databases(), ["meal_planner", "meal_planner_new"]);
      assert.deepEqual(await scene.meals(), ["in the dump", "spoilt"]);
      await scene.stack.up({ args: ["--expect-no-changes"] });
      await assertServes(scene.stack, "1.2.1");
    });
  });

  describe("by configuration", () => {
    const keepAs = "meal_planner_corrupted";

    it("is refused with nothing stopped where it cannot be done", async () => {
      const { stack, dump, pack } = scene;
      const place = ownPlace(stack.names.postgres, { volume: stack.volumes.dumps });
      const refused = async (
        code: string,
        reset: Parameters<ResetStack["ask"]>[0],
        live?: "1.2.0",
      ): Promise<void> => {
        await scene.ask(reset, live);
        assertRefused((await stack.preview({ expectFailure: true })).output, code);
      };
      await stack.query("postgres", "create database somebody_elses");
      await refused("RESET_NAME_TAKEN", { keepAs: "somebody_elses" });
      await stack.query("postgres", "drop database somebody_elses");
      await refused("RESET_SOURCE_MISSING", { keepAs, load: { dump: "of-yesterday" } });
      await refused("RESET_SOURCE_MISSING", { keepAs, load: { salvage: "of-yesterday" } });
      await refused("RESET_TABLES_UNKNOWN", { keepAs, load: { dump, salvage: pack, tables: ["meels"] } });
      await refused("RESET_KEPT_GONE", { keepAs, back: "meal_planner_never" });
      await refused("RESET_SCHEMA", { keepAs, back: "meal_planner_new" }, "1.2.0");
      const script =
        'cd "$1"; file=$(ls */*.dat* | head -n 1); cp "$file" /tmp/whole; printf x | dd of="$file" conv=notrunc status=none; echo "$file"';
      const folder = `/var/lib/dumps/${dump}`;
      const file = (await shellIn(place, script, [folder])).trim();
      await refused("RESET_DUMP_DAMAGED", { keepAs, load: { dump } });
      await shellIn(place, 'cat /tmp/whole > "$1"', [`${folder}/${file}`]);
      assert.deepEqual(await scene.meals(), ["in the dump", "spoilt"]);
      await assertServes(stack, "1.2.1");
    });

    it("is refused before anything stops where the rows do not fit, with nothing left behind", async () => {
      const { stack, dump } = scene;
      await scene.ask({ keepAs, load: { dump, tables: ["meal_favourites"] } });
      // One who likes a meal that is in another table.
      const { output } = await stack.up({ expectFailure: true });
      assertRefused(output, "RESET_REFERENCES");
      assert.deepEqual(await scene.databases(), ["meal_planner", "meal_planner_new"]);
      await assertServes(stack, "1.2.1");
    });

    it("is shown by a preview: what is kept, applied and loaded", async () => {
      const { stack, dump, pack } = scene;
      await scene.ask({ keepAs, load: { dump, salvage: pack } });
      const { output } = await stack.preview();
      assert.match(
        output,
        /meal_planner is made anew, at schema 23; the one in use \(.* MB\) is kept as meal_planner_corrupted/,
      );
      assert.match(output, /applies to meal_planner_reset 23 migrations, 1 to 23; rows come after 20/);
      assert.match(output, new RegExp(`loads \\d+ rows \\(.*\\) of \\d+ tables from the dump ${dump}`));
      assert.match(output, /public\.meals: 1 rows/);
      assert.match(output, new RegExp(`writes 1 rows of the salvage pack ${pack}`));
      assert.deepEqual(await scene.databases(), ["meal_planner", "meal_planner_new"]);
    });

    it("takes the place of one that PostgreSQL cannot read any more, while requests wait, and none fails", async () => {
      const { stack } = scene;
      await spoilFiles(scene);
      await assert.rejects(scene.meals(), /could not open file|invalid page|could not read/);
      const load = await startLoad({ url: stack.url, connections: 3, thinkTime: 50, reads: ["/health"] });
      await stack.up().finally(() => load.stop());
      assert.deepEqual((await load.stop()).report.failures, []);
      assert.deepEqual(await scene.meals(), ["in the dump", "written later"]);
      assert.deepEqual(await scene.databases(), ["meal_planner", keepAs, "meal_planner_new"]);
      await assertServes(stack, "1.2.1");
    });

    it("is done once, also when the kept one is dropped while the key is there", async () => {
      const { stack } = scene;
      assert.deepEqual(changedResources((await stack.up()).events), {});
      assert.doesNotMatch((await stack.preview()).output, /is made anew/);
      await stack.query("postgres", `drop database ${keepAs}`);
      await scene.write("after the reset");
      assert.deepEqual(changedResources((await stack.up()).events), {});
      await scene.ask();
      await stack.up();
      await scene.ask({ keepAs, load: { dump: scene.dump } });
      await stack.up();
      assert.deepEqual(await scene.meals(), ["after the reset", "in the dump", "written later"]);
    });

    it("gives its name back, together with the release that fits", async () => {
      const { stack, dump } = scene;
      // Made anew for an older release in the same up, and put back with the newer one.
      await scene.ask({ keepAs: "meal_planner_23", load: { dump } }, "1.2.0");
      await stack.up();
      await assertServes(stack, "1.2.0");
      assert.deepEqual(await scene.meals(), ["in the dump"]);
      await scene.ask({ keepAs: "meal_planner_22", back: "meal_planner_23" }, "1.2.1");
      await stack.up();
      await assertServes(stack, "1.2.1");
      assert.deepEqual(await scene.meals(), ["after the reset", "in the dump", "written later"]);
      assert.deepEqual(changedResources((await stack.up()).events), {});
    });
  });
});

/** Writes over the first page of a table on the disk, as a disk does that fails; what the server had in memory is gone, too. */
async function spoilFiles({ stack }: ResetStack): Promise<void> {
  const [row] = await stack.query("meal_planner", "select pg_relation_filepath('meals') as file");
  await stack.query("postgres", "checkpoint");
  const file = `/var/lib/postgresql/data/${String(row?.["file"])}`;
  const script = 'head -c 8192 /dev/urandom > "$1"';
  await docker(["exec", "-u", "postgres", stack.names.postgres, "sh", "-c", script, "sh", file]);
  await docker(["restart", "--time", "30", stack.names.postgres]);
  await waitUntilReady(stack.server, 60_000, () => undefined);
}
