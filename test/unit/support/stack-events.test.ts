import assert from "node:assert/strict";
import {
  changedResources,
  lineOf,
  linesOf,
  nameOf,
  readEvent,
  stepOf,
  type EngineEvent,
} from "../../support/stack-events.ts";

const urn = (name: string): string =>
  `urn:pulumi:test::rbt::rollback:index:Cluster$docker:index/container:Container::${name}`;
const line = (body: object): EngineEvent | undefined =>
  readEvent(JSON.stringify({ sequence: 1, timestamp: 1795391970, ...body }));
const step = (phase: string, op: string, name: string): EngineEvent | undefined =>
  line({
    [phase]: { metadata: { op, urn: urn(name), type: "docker:index/container:Container", old: null } },
  });

describe("the engine's event log", () => {
  it("tells steps by the program's own names", () => {
    assert.deepEqual(step("resourcePreEvent", "create", "postgres"), {
      kind: "step",
      phase: "begins",
      op: "create",
      type: "docker:index/container:Container",
      name: "postgres",
    });
    assert.equal(nameOf(urn("door")), "door");
  });

  it("tells lines with the resource they are about; those of no resource are about nothing", () => {
    const said = { urn: urn("fence"), message: "requests are held\n", severity: "info", ephemeral: true };
    assert.deepEqual(line({ diagnosticEvent: said }), {
      kind: "line",
      about: "fence",
      text: "requests are held",
      severity: "info",
      passing: true,
    });
    const event = line({ diagnosticEvent: { message: "hello\n", severity: "warning" } });
    assert.equal(event?.kind === "line" && event.about, undefined);
  });

  it("leaves debugging output and what else there is out", () => {
    assert.equal(line({ diagnosticEvent: { message: "RPC finished", severity: "debug" } }), undefined);
    assert.equal(line({ preludeEvent: { config: {} } }), undefined);
  });

  const events = [
    step("resourcePreEvent", "create", "door"),
    step("resOutputsEvent", "create", "door"),
    step("resOutputsEvent", "same", "router"),
    step("resOpFailedEvent", "update", "postgres"),
    line({ diagnosticEvent: { urn: urn("fence"), message: "held", severity: "info" } }),
    line({ diagnosticEvent: { urn: urn("fence"), message: "…", severity: "info", ephemeral: true } }),
  ].filter((event) => event !== undefined);

  it("is asked what was changed, which leaves out what stayed, failed or has only begun", () => {
    assert.deepEqual(changedResources(events), { create: ["door"] });
  });

  it("is asked for a resource's lines, without those that were replaced by the next", () => {
    assert.deepEqual(linesOf(events, "fence"), ["held"]);
  });

  it("is searched for a step or a line", () => {
    assert.deepEqual(events.map(stepOf("door")), [true, false, false, false, false, false]);
    assert.deepEqual(events.map(stepOf(/^post/, "failed")), [false, false, false, true, false, false]);
    assert.deepEqual(events.map(lineOf("fence", /…/)), [false, false, false, false, false, true]);
  });
});
