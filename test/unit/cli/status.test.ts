import assert from "node:assert/strict";
import { program } from "../../../cli/main.ts";
import { statusOf } from "../../../cli/commands/status.ts";
import type { World } from "../../../operations/plan/world.ts";

const world: World = {
  initialised: true,
  containers: [],
  subnet: "172.30.0.0/24",
  dataVolumeExists: true,
  images: new Map(),
  server: { answers: false, why: "it is stopped" },
  serverRemade: undefined,
  schema: new Map([["meal_planner", { version: "23", order: ["22", "23"], exists: true }]]),
  gateway: { mode: "hold", rest: "open", routes: undefined },
  journal: undefined,
};

describe("the rollback command", () => {
  it("describes every command and every option", () => {
    const undescribed = program().commands.flatMap((command) => [
      ...(command.description() === "" ? [command.name()] : []),
      ...command.options.filter(({ description }) => description === "").map(({ flags }) => flags),
    ]);
    assert.deepEqual(undescribed, []);
  });

  it("knows a wrong command line from a failure", async () => {
    const command = program().configureOutput({ writeErr: () => undefined });
    await assert.rejects(command.parseAsync(["no-such-command"], { from: "user" }), { exitCode: 1 });
  });

  describe("status", () => {
    it("tells what runs although no run has finished", () => {
      assert.deepEqual(statusOf(world, ["meal_planner is at 23 instead of 22"]), {
        live: {},
        since: null,
        unfinished: false,
        gateway: "hold",
        schema: { meal_planner: "23" },
        containers: [],
        changes: [],
        differences: ["meal_planner is at 23 instead of 22"],
      });
    });
  });
});
