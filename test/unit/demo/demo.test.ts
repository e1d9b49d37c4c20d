import assert from "node:assert/strict";
import { demoArguments } from "../../../demo/arguments.ts";
import { essenceOf, lineFor } from "../../../demo/show.ts";
import { timeline, timelineRow } from "../../../demo/timeline.ts";
import type { RequestRecord } from "../../support/load-report.ts";

describe("the demo", () => {
  describe("its arguments", () => {
    it("are none by default", () => {
      assert.deepEqual(demoArguments([]), { keep: false, remove: undefined, size: 1 });
    });

    it("keep a stack, remove it, or change its size", () => {
      assert.equal(demoArguments(["--keep"])?.keep, true);
      assert.equal(demoArguments(["--remove", "/tmp/x"])?.remove, "/tmp/x");
      assert.equal(demoArguments(["--size", "0.1"])?.size, 0.1);
    });
  });

  describe("its narration", () => {
    it("repeats what effects say, marks what is wrong, and leaves passing lines out", () => {
      const said = { kind: "line", about: "fence", text: "requests are held", passing: false } as const;
      assert.equal(lineFor({ ...said, severity: "info" }), "fence         requests are held");
      assert.equal(lineFor({ ...said, severity: "error" }), "fence         error: requests are held");
      assert.equal(lineFor({ ...said, severity: "info", passing: true }), undefined);
    });

    it("tells which containers come and go, and nothing of those that stay", () => {
      const step = {
        kind: "step",
        phase: "done",
        type: "docker:index/container:Container",
        name: "door",
      } as const;
      assert.equal(lineFor({ ...step, op: "create" }), "container     started door");
      assert.equal(lineFor({ ...step, op: "delete" }), "container     removed door");
      assert.equal(lineFor({ ...step, op: "same" }), undefined);
    });
  });

  it("shows of a preview what changes, by name, without what is new in full and without revisions", () => {
    const diff = `Previewing update (demo):
  pulumi:pulumi:Stack: (same)
    [urn=urn:pulumi:demo::p::pulumi:pulumi:Stack::p-demo]
    ~ pulumi:index:Stash: (update)
        [id=1b2c]
        [urn=urn:pulumi:demo::p::rollback:index:Databases$pulumi:index:Stash::schema]
      ~ input: {
          ~ desired : {
              ~ meal_planner: "23" => "20"
                mealie      : "4"
            }
          ~ revision: "7fbe" => "9569"
        }
schema of meal_planner: 23 → 20 (taken back)
        + docker:index/container:Container: (create)
            [urn=urn:pulumi:demo::p::docker:index/container:Container::p-demo-meal-planner-1.2.0-c2b7]
            image    : "sha256:abc"
Resources:
    + 1 to create
    ~ 1 to update
    2 changes. 28 unchanged
`;
    assert.equal(
      essenceOf(diff),
      `Previewing update (demo): p-demo
    ~ pulumi:index:Stash: (update) schema
          ~ desired : {
              ~ meal_planner: "23" => "20"
schema of meal_planner: 23 → 20 (taken back)
        + docker:index/container:Container: (create) p-demo-meal-planner-1.2.0-c2b7
Resources:
    + 1 to create
    ~ 1 to update
    2 changes. 28 unchanged
`,
    );
  });

  describe("its timeline", () => {
    const answer = (startedAt: number, more: Partial<RequestRecord> = {}): RequestRecord => ({
      ...{ startedAt, duration: 10, method: "GET", path: "/", status: 200, release: "1.2.0" },
      ...more,
    });
    const stretch = { step: "roll back", from: 1_000, to: 3_500, held: "0.80 s" };

    it("counts the requests that were sent during a step", () => {
      const records = [answer(999), answer(1_000), answer(3_499, { duration: 800 }), answer(3_500)];
      assert.deepEqual(timelineRow(stretch, records), [
        ...["roll back", "2.5 s", "0.80 s", "2", "0", "800 ms", "800 ms", "1.2.0: 2"],
      ]);
    });

    it("names failures by what they were", () => {
      const bad = answer(2_000, { status: 502 });
      assert.equal(timelineRow(stretch, [bad, answer(2_000)])[4], "1 (1 × 502)");
    });

    it("ends with rows, what is live and where the dump lies", () => {
      const text = timeline({
        stretches: [stretch],
        records: [answer(2_000)],
        rows: { acknowledged: 7, lost: ["x"], duplicated: [] },
        live: ["1.2.0"],
        schema: ["meal_planner 20"],
        dump: "in a volume",
      });
      assert.match(text, /rows +7 acknowledged, 6 found, 1 lost, 0 twice/);
      assert.match(text, /dump +in a volume/);
    });
  });
});
