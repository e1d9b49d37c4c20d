import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import type { ReleaseName } from "../../../examples/meal-planner/catalogue.ts";
import { killFromOutside } from "../../support/container-kill.ts";
import { startLoad } from "../../support/load.ts";
import { workOf } from "../../support/processes.ts";
import { programOf } from "../../support/program.ts";
import { askStack, assertServes } from "../../support/stack-checks.ts";
import { changedResources, lineOf, stepOf, type EngineEvent } from "../../support/stack-events.ts";
import { createStack, type ScratchStack } from "../../support/stack.ts";

describe("a run that is disturbed", function () {
  this.timeout(180_000);
  let stack: ScratchStack;
  let live: ReleaseName = "1.2.0";
  const configure = (release: ReleaseName): Promise<void> =>
    stack.configure({ live: { [release]: 100 }, releases: ["1.2.0", "1.2.1"], safety: { bake: "0s" } });
  const other = (): ReleaseName => (live === "1.2.0" ? "1.2.1" : "1.2.0");

  before(async () => {
    stack = await createStack();
    await configure(live);
    await stack.up();
  });
  after(() => stack.cleanup());

  describe("by a part of the gateway that is killed while it holds requests", () => {
    for (const part of ["router", "door"] as const) {
      it(`the ${part}: nobody gets through to a release on the wrong schema, and the stack ends up consistent`, async () => {
        await configure(other());
        const load = await startLoad({ url: stack.url, connections: 4 });
        try {
          const running = await stack.startUp();
          await running.waitFor(lineOf("fence", /requests are held/));
          await killFromOutside(stack.names[part]);
          const { exitCode, output } = await running.ended;
          // The run goes on if it can; else it says why, and the next one finishes.
          if (exitCode !== 0) {
            assert.match(output, /refused [A-Z_]+:/);
            await stack.up();
          }
        } finally {
          const { report } = await load.stop();
          // Connections to a door that is dead break, which nobody can prevent; wrong answers are another matter.
          const broken = /^(503|ECONN\w+|EPIPE|UND_ERR\w*|socket hang up)$/;
          const wrong = report.failures.filter(({ why }) => !broken.test(why));
          assert.deepEqual(wrong, []);
          if (part === "router") assert.deepEqual(report.failures, [], "held requests wait for the router");
        }
        live = other();
        await assertServes(stack, live);
      });
    }
  });

  describe("by a second one", () => {
    it("refuses the second; the first finishes", async () => {
      await configure(other());
      const first = await stack.startUp();
      await first.waitFor(stepOf("preflight"));
      const second = await stack.up({ expectFailure: true });
      assert.match(second.output, /the stack is currently locked/);
      const { exitCode, output } = await first.ended;
      assert.equal(exitCode, 0, output);
      live = other();
      await assertServes(stack, live);
    });
  });

  describe("by the program of a killed engine that goes on", () => {
    /** Where that program is stopped, to go on when another run is over. */
    const places: readonly (readonly [string, (event: EngineEvent) => boolean])[] = [
      ["before it closes roles", lineOf("fence", /requests are held/)],
      ["before it changes the schema", stepOf("schema")],
      ["before it moves the traffic", stepOf("traffic")],
    ];
    for (const [place, moment] of places) {
      it(`${place}: it changes nothing any more`, async () => {
        await configure(other());
        const running = await stack.startUp();
        await running.waitFor(moment);
        const { program, host } = await programOf(running);
        const keeper = keepGroup(host.pid);
        process.kill(program.pid, "SIGSTOP");
        // The host would end its program when it notices that the engine is gone; one that sleeps notices nothing.
        process.kill(host.pid, "SIGSTOP");
        let before: string[];
        try {
          await stack.kill(running);
          await running.ended;
          await stack.cancel();

          await configure(live);
          await stack.up();
          before = (await stack.containers()).map(({ id }) => id);
          process.kill(program.pid, "SIGCONT");
          await idle(program.pid, 60_000);
        } finally {
          process.kill(host.pid, "SIGKILL");
          keeper.kill();
          await keeper;
        }
        await assertServes(stack, live);
        assert.deepEqual(
          (await stack.containers()).map(({ id }) => id),
          before,
        );
        assert.deepEqual(changedResources((await stack.up()).events), {}, "there was nothing to repair");
      });
    }
  });

  describe("by a journal that is lost", () => {
    it("runs its effects once more, changes no schema, and knows again where it stands", async () => {
      await stack.query("meal_planner", "DROP TABLE rollback.journal");
      const containers = (await stack.containers()).map(({ id, startedAt }) => [id, startedAt]);
      const { output, events } = await stack.up();
      assert.match(output, /no finished run is on record/);
      assert.ok(
        events.some(
          (event) => stepOf("verification", "done")(event) && event.kind === "step" && event.op === "update",
        ),
      );
      await assertServes(stack, live);
      assert.deepEqual(
        (await stack.containers()).map(({ id, startedAt }) => [id, startedAt]),
        containers,
      );
      assert.deepEqual(changedResources((await stack.up()).events), {});
    });

    it("is no reason to do half of a change: a rollback right after it is a whole one", async () => {
      await stack.query("meal_planner", "DROP TABLE rollback.journal");
      await configure(other());
      await stack.up();
      live = other();
      await assertServes(stack, live);
    });
  });

  describe("by somebody's hand in Docker or PostgreSQL", () => {
    it("repairs a container that was removed, a role that was closed and a gate that was shut", async () => {
      const [service] = (await stack.containers()).filter(({ name }) => name.includes("-mealie-"));
      assert.ok(service !== undefined);
      await killFromOutside(service.name);
      await stack.query("postgres", `ALTER ROLE meal_planner_${live.replaceAll(".", "_")} NOLOGIN`);
      const { output } = await stack.up();
      assert.match(output, /role meal_planner_\S+ is closed/);
      await assertServes(stack, live);
      assert.equal((await askStack(stack, "/api/meals")).status, 200);
      assert.deepEqual(changedResources((await stack.up()).events), {});
    });
  });
});

/**
 * A process of ours in another process's group. Without it the engine's end would leave the group without a parent in this
 * session, and the kernel would wake and end what is stopped in it (setpgid(2), "orphaned process group").
 */
function keepGroup(leader: number) {
  return execa("perl", ["-e", "setpgrp(0, shift) or die $!; sleep 600", String(leader)], { reject: false });
}

/** Waits until a program has ended, or has nothing left to do: it has not worked for a while. Fails when it still does. */
async function idle(pid: number, deadline: number): Promise<void> {
  const end = Date.now() + deadline;
  let [before, since] = [-1, Date.now()];
  while (Date.now() - since < 5_000) {
    const ticks = await workOf(pid);
    if (ticks === undefined) return;
    if (ticks !== before) [before, since] = [ticks, Date.now()];
    assert.ok(Date.now() < end, `process ${pid} is still at work`);
    await sleep(500);
  }
}
