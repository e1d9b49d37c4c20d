import assert from "node:assert/strict";
import { keyText } from "../../../settings/problems.ts";
import { configuration } from "./example.ts";
import { contractKeys } from "./keys.ts";
import { databases } from "./mistakes/databases.ts";
import type { Mistake } from "./mistakes/mistake.ts";
import { others } from "./mistakes/others.ts";
import { releases } from "./mistakes/releases.ts";
import { reset } from "./mistakes/reset.ts";
import { services } from "./mistakes/services.ts";
import { mistakesIn } from "./refused.ts";

const all: readonly Mistake[] = [...releases, ...services, ...databases, ...reset, ...others];

describe("a mistake in the stack configuration", () => {
  for (const mistake of all) {
    const { at, value, given = [], key, says } = mistake;
    it(`${keyText(at)} = ${value === undefined ? "(left out)" : JSON.stringify(value)}`, () => {
      const [line = "(accepted)", ...more] = mistakesIn(configuration(...given, [at, value]));
      const expected = `${key}: … ${says}`;
      assert.ok(line.startsWith(`${key}: `) && line.includes(says), `${line}\nshould be\n${expected}`);
      assert.deepEqual(more, [], "one mistake, one line");
      assert.doesNotMatch(line, /hunter2/);
    });
  }

  it("has been tried for every key of the contract", () => {
    const tried = new Set(all.map(({ key }) => pattern(key)));
    const untried = contractKeys().filter((key) => !tried.has(key));
    assert.deepEqual(untried, []);
  });
});

/** Key text with what the user names made anonymous: `releases["1.2.0"].services.mealie` → `releases.*.services.*`. */
function pattern(key: string): string {
  return key
    .replace("rollback:", "")
    .replace(/\[\d+\]/g, "[]")
    .replace(/\["[^"]*"\]/g, ".*")
    .replace(/^(releases|live|services|databases|caches|secrets)\.[^.[]+/, "$1.*")
    .replace(
      /^(cluster\.settings|releases\.\*\.(?:services|schema|compatible)|services\.\*\.(?:env|volumes|reload\.headers))\.[^.[]+/,
      "$1.*",
    )
    .replace(/(\.flags|\.json)\.[^.[]+/, "$1.*");
}
