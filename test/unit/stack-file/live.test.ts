import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { liveIn, withLive, writeLive } from "../../../operations/stack-file/live.ts";

const flow = `# our stack
config:
  rollback:live: { "1.2.1": 100 } # a deploy changes this line
  rollback:standby: ["1.2.0"]   # odd   spacing stays
`;
const block = `config:
  rollback:live:
    "1.2.0": 10
    "1.2.1": 90 # canary

  # the rest
  rollback:cluster: { volume: pgdata-1 }
`;
const back = new Map([["1.2.0", 100]]);

describe("the stack file's line of live releases", () => {
  it("is changed without touching anything else of the file, but for a standby that is live now", () => {
    const expected = flow.replace('{ "1.2.1": 100 }', '{ "1.2.0": 100 }');
    assert.equal(withLive(flow, back), expected.replace('["1.2.0"]', "[]"));
    const other = flow.replace("1.2.0", "1.1.0");
    assert.equal(withLive(other, back), other.replace('{ "1.2.1": 100 }', '{ "1.2.0": 100 }'));
  });

  it("may be a block", () => {
    const changed = withLive(block, back) ?? "";
    assert.deepEqual(liveIn(changed), back);
    assert.ok(changed.includes("# canary\n\n  # the rest\n  rollback:cluster: { volume: pgdata-1 }\n"));
  });

  it("is not made up where there is none", () => {
    assert.equal(withLive("config: {}\n", back), undefined);
    assert.equal(withLive("config: [\n", back), undefined);
  });

  describe("in a file", () => {
    let folder = "";
    before(async () => {
      folder = await mkdtemp(path.join(tmpdir(), "live-"));
    });
    after(() => rm(folder, { recursive: true }));

    it("is left alone when somebody has changed it since", async () => {
      const file = path.join(folder, "Pulumi.a.yaml");
      await writeFile(file, flow);
      assert.equal(await writeLive(file, new Map([["1.3.0", 100]]), back), false);
      assert.equal(await readFile(file, "utf8"), flow);
      assert.equal(await writeLive(file, new Map([["1.2.1", 100]]), back), true);
      assert.deepEqual(liveIn(await readFile(file, "utf8")), back);
    });

    it("is not written to a file that is not there", async () => {
      assert.equal(await writeLive(path.join(folder, "none.yaml"), back, back), false);
    });
  });
});
