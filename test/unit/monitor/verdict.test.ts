import assert from "node:assert/strict";
import { prometheusText } from "../../../operations/monitor/metrics.ts";
import { verdictOn, type Look } from "../../../operations/monitor/verdict.ts";

const back = {
  release: "1.2.0",
  code: ["app"],
  flags: [],
  schema: [],
  archived: [],
  refused: undefined,
  running: false,
};
const look: Look = {
  run: "r2",
  kind: "deployment",
  pending: undefined,
  checks: [{ what: "bake 1.2.1", found: "60 requests", wrong: ["more than 5 % errors"] }],
  target: new Map([["1.2.0", 100]]),
  live: new Map([["1.2.1", 100]]),
  back,
  tried: false,
  archive: undefined,
  changes: undefined,
};
const because = (changed: Partial<Look>): string => {
  const verdict = verdictOn({ ...look, ...changed });
  return verdict.kind === "alert" ? verdict.because : verdict.kind;
};

describe("the monitor", () => {
  it("does nothing while all is well", () => {
    assert.deepEqual(verdictOn({ ...look, checks: [] }), { kind: "well" });
  });

  it("goes back when a release is outside the thresholds, or a way back is pending", () => {
    assert.equal(because({}), "go back");
    assert.equal(because({ checks: [], pending: "not proven" }), "go back");
  });

  it("goes back once, and never from a rollback", () => {
    assert.match(because({ tried: true }), /tried/);
    assert.match(because({ kind: "rollback" }), /rollback itself/);
  });

  it("does not try again what the stack file names already: a way back that failed leaves one pending itself", () => {
    assert.match(
      because({ pending: "not proven", live: new Map([["1.2.0", 100]]) }),
      /in the stack file already/,
    );
  });

  it("names a trouble without its figures, so that the same is not told at every look", () => {
    const verdicts = ["60 requests", "61 requests"].map((found) =>
      verdictOn({ ...look, tried: true, checks: [{ what: "bake 1.2.1", found, wrong: ["too slow"] }] }),
    );
    assert.deepEqual(
      verdicts.map((verdict) => verdict.kind === "alert" && verdict.about),
      ["bake 1.2.1: too slow", "bake 1.2.1: too slow"],
    );
  });

  it("does not go where it would be worse", () => {
    assert.match(because({ back: { ...back, refused: "SCHEMA_NO_REVERSAL: x" } }), /SCHEMA_NO_REVERSAL/);
    assert.match(because({ back: { ...back, archived: ["app.notes"] } }), /app\.notes/);
    assert.match(because({ target: undefined }), /nothing on record/);
  });

  it("counts attempts and errors by release for Prometheus", () => {
    const attempts = [200, 500, 0].map((status) => ({ release: "1.2.1", status, seconds: 0.1 }));
    const text = prometheusText({
      attempts,
      live: new Map([["1.2.1", 100]]),
      pending: true,
      alerting: false,
    });
    assert.match(text, /^rollback_errors\{release="1\.2\.1"\} 2$/m);
    assert.match(text, /^rollback_way_back_pending 1$/m);
  });

  it("is told of an archive that fails, and goes back for a bad release only", () => {
    const archive = "00000001000000000000000A of the WAL cannot be archived.";
    const good = { ...look, pending: undefined, checks: [] };
    assert.deepEqual(verdictOn({ ...good, archive }), {
      ...{ kind: "tell", about: "the archive fails", reason: archive },
    });
    const bad = [{ what: "bake 1.2.1", found: "9 % errors", wrong: ["too many"] }];
    assert.equal(verdictOn({ ...good, archive, checks: bad }).kind, "go back");
  });

  it("is told of a record of changes that was given up, after what is worse", () => {
    const good = { ...look, pending: undefined, checks: [], changes: "changes of a were given up" };
    assert.deepEqual(verdictOn(good), {
      ...{ kind: "tell", about: "changes are not kept", reason: "changes of a were given up" },
    });
    const verdict = verdictOn({ ...good, archive: "no room" });
    assert.equal(verdict.kind === "tell" && verdict.about, "the archive fails");
  });
});
