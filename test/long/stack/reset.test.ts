import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { close, connect } from "../../../operations/database/connection.ts";
import { docker } from "../../../operations/docker/run.ts";
import { unfinished } from "../../../operations/reset/names.ts";
import { at, killedAt, type Instant } from "../../support/kill-trials.ts";
import { assertRefused } from "../../support/recovery.ts";
import { createResetStack, type ResetStack } from "../../support/reset.ts";
import { askStack, assertServes } from "../../support/stack-checks.ts";
import { changedResources, lineOf, stepOf } from "../../support/stack-events.ts";

/** From the beginning of a reset to its end. */
const instants: readonly (readonly [string, Instant])[] = [
  ["in the preflight", at(stepOf("preflight"))],
  ["while the new database is made", at(lineOf("backup", /^making/))],
  ["when the migrations before the rows are applied", at(lineOf("backup", /up to 20$/))],
  ["while the rows are loaded", at(lineOf("backup", /^loading/))],
  ["when the rows are loaded", at(lineOf("backup", /^loaded/))],
  ["when the later migrations are applied", at(lineOf("backup", /up to 23$/))],
  ["when the pack's rows are written", at(lineOf("backup", /rows inserted/))],
  ["when requests are held", at(lineOf("fence", /requests are held/))],
  ["when roles are closed", at(lineOf("fence", /closed in the database/))],
  ["when the reset's own step begins", at(stepOf("reset"))],
  ["when the database in use is closed", at(lineOf("reset", /^closing/))],
  ["when the records are taken along", at(lineOf("reset", /^took along/))],
  ["when the names have changed", at(lineOf("reset", /is the new database/))],
  ["in the schema's step", at(stepOf("schema"))],
  ["in the switch of the traffic", at(stepOf("traffic"))],
  ["in the verification", at(stepOf("verification"))],
];

describe("an engine that is killed while it makes a database anew", function () {
  this.timeout(300_000);
  let scene: ResetStack;
  let number = 0;
  before(async () => {
    scene = await createResetStack();
  });
  after(() => scene.cleanup());
  const asked = (): { keepAs: string; load: Readonly<Record<string, unknown>> } => ({
    keepAs: `meal_planner_kept_${String((number += 1))}`,
    load: { dump: scene.dump, salvage: scene.pack },
  });

  for (const [where, instant] of instants) {
    it(`${where}: the next up finishes it, and the old one is kept whole`, async () => {
      await scene.write(where);
      const before = await scene.meals();
      const reset = asked();
      await scene.ask(reset);
      await killedAt(scene.stack, instant);
      await scene.stack.up();
      assert.deepEqual(await scene.meals(), ["in the dump", "written later"]);
      assert.deepEqual(await scene.meals(reset.keepAs), before);
      await assertOver(scene);
    });

    it(`${where}: the next up without the key leaves one whole database, and loses none`, async () => {
      await scene.write(where);
      const before = await scene.meals();
      const reset = asked();
      await scene.ask(reset);
      await killedAt(scene.stack, instant);
      await scene.ask();
      await scene.stack.up();
      const done = (await scene.databases()).includes(reset.keepAs);
      assert.deepEqual(await scene.meals(), done ? ["in the dump", "written later"] : before);
      if (done) assert.deepEqual(await scene.meals(reset.keepAs), before);
      await assertOver(scene);
    });
  }

  it("is put back after all of it, and serves", async () => {
    await scene.write("before it goes back and forth");
    const before = await scene.meals();
    const reset = asked();
    await scene.ask(reset);
    await scene.stack.up();
    const back = { keepAs: "meal_planner_back", back: reset.keepAs };
    await scene.ask(back);
    await killedAt(scene.stack, at(lineOf("reset", /^took along/)));
    await scene.stack.up();
    assert.deepEqual(await scene.meals(), before);
    await assertOver(scene);
  });
});

describe("a reset when something else goes wrong", function () {
  this.timeout(300_000);
  let scene: ResetStack;
  before(async () => {
    scene = await createResetStack();
  });
  after(() => scene.cleanup());

  it("is one at a time: a second command waits in vain, and an up is refused", async () => {
    const { stack } = scene;
    await scene.ask({ keepAs: "meal_planner_first", load: { dump: scene.dump } });
    // Whoever creates a database waits for one who reads the list of them in peace.
    const blocker = await connect(stack.server, "postgres");
    try {
      await blocker.query("begin; lock table pg_database in share mode");
      const first = scene.command("--confirm", "meal_planner", "--keep-as", "meal_planner_command");
      await untilCreating(scene);
      const [second, up] = await Promise.all([
        scene.command("--confirm", "meal_planner"),
        stack.up({ expectFailure: true }),
      ]);
      assertRefused(second.all, "RUN_IN_PROGRESS");
      assertRefused(up.output, "RUN_IN_PROGRESS");
      await blocker.query("commit");
      const { exitCode, all } = await first;
      assert.equal(exitCode, 0, all);
    } finally {
      await close(blocker);
    }
    assert.deepEqual(await scene.databases(), ["meal_planner", "meal_planner_command"]);
    await scene.ask();
    await stack.up();
    await assertOver(scene);
  });

  it("keeps everybody out of another schema when it fails as soon as the names have changed", async () => {
    const { stack } = scene;
    await scene.ask({ keepAs: "meal_planner_newer", load: { dump: scene.dump } }, "1.2.0");
    const blocker = await connect(stack.server, "postgres");
    try {
      const running = await stack.startUp();
      await running.waitFor(lineOf("backup", /^loaded/));
      // Nobody closes or renames a database meanwhile.
      await blocker.query("begin; lock table pg_database in share mode");
      await running.waitFor(lineOf("reset", /^closing/));
      await blocker.query(
        "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and classid::bigint = hashtext('rollback')::bigint & 4294967295 and objid::bigint = hashtext($1)::bigint & 4294967295",
        [stack.label],
      );
      await blocker.query("commit");
      assertRefused((await running.ended).output, "LOCK_LOST");
    } finally {
      await close(blocker);
    }
    assert.ok((await scene.databases()).includes("meal_planner_newer"));
    // The gateway's own answer: a release on another schema says 503 as well.
    const { status, release, retryAfter } = await askStack(stack, "/health");
    assert.deepEqual([status, release, retryAfter === null], [503, null, false]);
    await stack.up();
    await assertServes(stack, "1.2.0");
    await scene.ask({ keepAs: "meal_planner_older", back: "meal_planner_newer" });
    await stack.up();
    await assertOver(scene);
  });

  it("puts nothing in use that it has not made itself, and is begun anew", async () => {
    const { stack } = scene;
    await scene.write("before another one comes");
    const before = await scene.meals();
    const keepAs = "meal_planner_overtaken";
    await scene.ask({ keepAs, load: { dump: scene.dump } });
    const running = await stack.startUp();
    await running.waitFor(lineOf("backup", /^loaded/));
    const mark = `${unfinished} (run another)`;
    await stack.query("postgres", `comment on database meal_planner_reset is '${mark}'`);
    assertRefused((await running.ended).output, "RESET_OVERTAKEN");
    assert.deepEqual(await scene.meals(), before);
    await stack.up();
    assert.deepEqual([await scene.meals(), await scene.meals(keepAs)], [["in the dump"], before]);
    await assertOver(scene);
  });

  for (const [where, line] of [
    ["while rows are loaded", lineOf("backup", /^loading/)],
    ["while the records are taken along", lineOf("reset", /^closing/)],
  ] as const) {
    it(`loses its server ${where}, and the next up finishes it`, async () => {
      const { stack } = scene;
      await scene.write(`server lost ${where}`);
      const before = await scene.meals();
      const keepAs = `meal_planner_${where.replaceAll(/\W/g, "_")}`;
      await scene.ask({ keepAs, load: { dump: scene.dump } });
      const running = await stack.startUp();
      await running.waitFor(line);
      await docker(["kill", stack.names.postgres]);
      await running.ended;
      await stack.up();
      assert.deepEqual([await scene.meals(), await scene.meals(keepAs)], [["in the dump"], before]);
      await assertOver(scene);
    });
  }
});

describe("a reset on a disk that becomes full", function () {
  this.timeout(300_000);
  let scene: ResetStack;
  before(async () => {
    scene = await createResetStack({ data: "400m" });
  });
  after(() => scene.cleanup());
  const inside = (script: string): Promise<string> =>
    docker(["exec", "-u", "postgres", scene.stack.names.postgres, "bash", "-ec", script]);

  const bigPack = "33333333-4444-5555-6666-777777777777";
  for (const [where, left, pack] of [
    ["as the new database is made", 0, undefined],
    ["soon after", 5, undefined],
    ["while rows are written", 9, bigPack],
  ] as const) {
    it(`${where}, is refused and leaves nothing behind; with room again the next up finishes it`, async () => {
      const { stack } = scene;
      await scene.write(where);
      const before = await scene.meals();
      const keepAs = `meal_planner_${String(left)}`;
      if (pack !== undefined) {
        const [row] = await stack.query("meal_planner", "select to_jsonb(t) as row from meals t limit 1");
        const name = randomBytes(6 * 1024 ** 2).toString("hex");
        await scene.keepPack(pack, "meals", [{ ...z.object({}).loose().parse(row?.["row"]), name }]);
      }
      await scene.ask({ keepAs, load: { dump: scene.dump, salvage: pack ?? scene.pack } });
      // Whoever creates a database waits for one who reads the list of them in peace.
      const blocker = await connect(stack.server, "postgres");
      try {
        await blocker.query("begin; lock table pg_database in share mode");
        const running = await stack.startUp();
        await untilCreating(scene);
        await inside(
          `free=$(df -P --block-size=1M $PGDATA | awk 'NR==2{print $4}'); dd if=/dev/zero of=$PGDATA/filler bs=1M count=$((free + 1 - ${String(left)})) status=none || true`,
        );
        await blocker.query("commit");
        assertRefused((await running.ended).output, "RESET_NO_SPACE");
      } finally {
        await close(blocker);
        await inside("rm -f $PGDATA/filler");
      }
      assert.deepEqual(await scene.meals(), before);
      assert.ok(!(await scene.databases()).includes("meal_planner_reset"));
      if (pack !== undefined) await scene.ask({ keepAs, load: { dump: scene.dump, salvage: scene.pack } });
      await stack.up();
      assert.deepEqual(await scene.meals(), ["in the dump", "written later"]);
      assert.deepEqual(await scene.meals(keepAs), before);
      await assertOver(scene);
      await stack.query("postgres", `drop database ${keepAs}`);
    });
  }
});

/** Waits until somebody waits for creating a database; asked outside of a transaction, which would see one moment for ever. */
async function untilCreating({ stack }: ResetStack): Promise<void> {
  const waiting =
    "select pid from pg_stat_activity where query ilike 'create database%' and wait_event_type = 'Lock'";
  while ((await stack.query("postgres", waiting)).length === 0) await sleep(50);
}

async function assertOver(scene: ResetStack): Promise<void> {
  const { stack } = scene;
  assert.ok(!(await scene.databases()).includes("meal_planner_reset"));
  await assertServes(stack, "1.2.1");
  assert.deepEqual(changedResources((await stack.up()).events), {});
}
