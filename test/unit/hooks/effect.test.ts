import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks.js";
import { contextOf, type RunContext } from "../../../hooks/context.ts";
import { registerEffect, requireDone } from "../../../hooks/effect.ts";
import { registerHooks } from "../../../hooks/index.ts";
import { effectNames } from "../../../hooks/names.ts";
import { isRefusal, Refusal } from "../../../settings/refusal.ts";
import { emptyWorld, order, settingsOf } from "../plan/fixture.ts";

// The SDK's mocks know nothing of hooks (pulumi/pulumi issue 20874).
Object.assign(MockMonitor.prototype, {
  registerResourceHook: (_: unknown, done: (error: null, answer: object) => void) => done(null, {}),
});

function context(): RunContext {
  const settings = settingsOf({ live: { "1.2.0": 100 } });
  return contextOf(settings, emptyWorld(settings), order);
}

const args = {
  urn: "urn:pulumi:test::rollback::pulumi:index:Stash::backup",
  id: "",
  name: "backup",
  type: "",
};

/** Calls a hook as the engine does. */
async function call(hook: pulumi.ResourceHook): Promise<void> {
  await hook.callback(args);
}

async function underMocks(preview: boolean): Promise<void> {
  await pulumi.runtime.setMocks(
    { call: () => ({}), newResource: ({ name }) => ({ id: name, state: {} }) },
    "rollback",
    "test",
    preview,
  );
}

describe("an effect", () => {
  it("does its work in an update, and only then counts as done", async () => {
    await underMocks(false);
    const run = context();
    const seen: string[] = [];
    const effect = registerEffect(run, {
      name: "backup",
      preview: () => void seen.push("preview"),
      carryOut: () => {
        seen.push(run.done.has("backup") ? "late" : "work");
        return Promise.resolve();
      },
    });
    await call(effect.hook);
    assert.deepEqual(seen, ["work"]);
    assert.deepEqual([...run.done], ["backup"]);
  });

  it("only says in a preview what it would do", async () => {
    await underMocks(true);
    const run = context();
    const seen: string[] = [];
    const effect = registerEffect(run, {
      name: "backup",
      preview: () => void seen.push("preview"),
      carryOut: () => Promise.reject(new Error("must not run")),
    });
    await call(effect.hook);
    assert.deepEqual(seen, ["preview"]);
    assert.equal(run.done.size, 0);
  });

  it("that is refused fails with the refusal's words and does not count as done", async () => {
    await underMocks(false);
    const run = context();
    const effect = registerEffect(run, {
      name: "backup",
      carryOut: () =>
        Promise.reject(
          new Refusal({ code: "DUMP_FAILED", found: "the disk is full.", next: "Free some room." }),
        ),
    });
    await assert.rejects(call(effect.hook), /refused DUMP_FAILED: the disk is full\.\n {2}Free some room\./);
    assert.equal(run.done.size, 0);
  });

  it("is refused when a step before it was left out, as --target does", () => {
    const run = context();
    run.finished("preflight", 1);
    requireDone(run, ["preflight"], "schema");
    assert.throws(
      () => requireDone(run, ["preflight", "backup", "fence"], "schema"),
      (error) => isRefusal(error, "STEP_LEFT_OUT") && error.message.includes("without backup, fence"),
    );
  });
});

describe("the hooks of the program", () => {
  it("are all registered in every run, under names that never change", async () => {
    await underMocks(false);
    const hooks = registerHooks(context());
    assert.deepEqual(Object.keys(hooks.effects), [...effectNames]);
    assert.deepEqual(
      Object.values(hooks.effects).map(({ hook }) => hook.name),
      effectNames.map((name) => `rollback:${name}`),
    );
    const binding = hooks.before("container");
    assert.notEqual(binding, hooks.before("container"));
    assert.equal(binding.beforeCreate?.length, 1);
  });
});
