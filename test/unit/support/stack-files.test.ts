import assert from "node:assert/strict";
import { parse } from "yaml";
import { projectFile, stackFile } from "../../support/stack-files.ts";

describe("the files of a scratch stack", () => {
  it("name the program where it lies, and leave TypeScript to Node", () => {
    assert.deepEqual(parse(projectFile("meal-planner-1a2b3c", "/somewhere/index.ts")), {
      name: "meal-planner-1a2b3c",
      description: "A scratch stack of the Meal Planner",
      main: "/somewhere/index.ts",
      runtime: { name: "nodejs", options: { typescript: false } },
    });
  });

  it("keep salt and encrypted secrets when the configuration is written anew, and nothing else of it", () => {
    const secrets = { db: { secure: "v1:abc" } };
    const former = `encryptionsalt: v1:salt\nconfig:\n  rollback:live: { "1.2.0": 100 }\n  rollback:secrets: { db: { secure: "v1:abc" } }\n`;
    const written: unknown = parse(stackFile({ "rollback:live": { "1.2.1": 100 } }, former));
    assert.deepEqual(written, {
      encryptionsalt: "v1:salt",
      config: { "rollback:live": { "1.2.1": 100 }, "rollback:secrets": secrets },
    });
  });

  it("need no former file", () => {
    assert.deepEqual(parse(stackFile({ "rollback:live": { "1.10": 100 } }, undefined)), {
      config: { "rollback:live": { "1.10": 100 } },
    });
  });
});
