import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { refuseIfInVain } from "../../operations/docker/in-vain.ts";
import { docker } from "../../operations/docker/run.ts";
import { isRefusal } from "../../settings/refusal.ts";

describe("waiting for a container that cannot start", function () {
  this.timeout(60_000);
  const prefix = `rbt-vain-${randomBytes(3).toString("hex")}`;
  const run = (name: string, ...args: string[]): Promise<string> =>
    docker(["run", "-d", "--name", `${prefix}-${name}`, ...args]);
  after(() => docker(["rm", "-f", "-v", `${prefix}-loop`, `${prefix}-ended`, `${prefix}-fine`]));

  const refusedWith = (words: RegExp) => (error: unknown) =>
    isRefusal(error, "CONTAINER_STOPS") && words.test(error.message);

  it("ends when it restarts again and again, with its exit code and its last words", async () => {
    // An empty volume, and nobody who allows to make a database in it.
    await run("loop", "--restart", "unless-stopped", "rollback-postgres:17.1");
    const begun = Date.now();
    const wait = async (): Promise<void> => {
      while (Date.now() - begun < 20_000) await refuseIfInVain(`${prefix}-loop`);
    };
    await assert.rejects(wait, refusedWith(/does not stay up.*is empty and PG_INIT=allow is not set/));
  });

  it("ends when it has ended", async () => {
    await run("ended", "--entrypoint", "sh", "rollback-postgres:17.1", "-c", "echo farewell >&2; exit 3");
    await docker(["wait", `${prefix}-ended`]);
    await assert.rejects(refuseIfInVain(`${prefix}-ended`), refusedWith(/exit code 3.*farewell/));
  });

  it("goes on for one that runs, and for one that is not there yet", async () => {
    await run("fine", "--entrypoint", "sleep", "rollback-postgres:17.1", "60");
    await refuseIfInVain(`${prefix}-fine`);
    await refuseIfInVain(`${prefix}-none`);
  });
});
