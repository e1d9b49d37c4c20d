import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { docker } from "../../operations/docker/run.ts";
import { scramVerifier } from "../../settings/secrets.ts";

const image = "rollback-postgres:17.1";
const data = "/var/lib/postgresql/data";

describe("the PostgreSQL image", function () {
  this.timeout(120_000);
  const name = `rbt-pgimage-${randomBytes(4).toString("hex")}`;
  const mount = ["-v", `${name}:${data}`];
  const allowed = ["-e", "PG_INIT=allow", "-e", `PG_SCRAM=${scramVerifier("s3cret", name)}`];

  /** Runs a container to its end: exit code and what it printed. */
  const runOnce = async (options: readonly string[], command: readonly string[] = []) => {
    const { exitCode, all } = await execa("docker", ["run", "--rm", ...options, image, ...command], {
      reject: false,
      all: true,
      timeout: 60_000,
    });
    return { exitCode, all };
  };
  const inVolume = async (script: string): Promise<string> =>
    (await runOnce(mount, ["sh", "-ec", `cd ${data}; ${script}`])).all;
  const start = (options: readonly string[]) =>
    docker(["run", "-d", "--name", name, ...mount, ...options, image]);
  const ask = (sql: string) => docker(["exec", name, "psql", "-Atc", sql]);
  const answers = async (): Promise<void> => {
    for (let attempt = 0; attempt < 150; attempt++) {
      try {
        await ask("SELECT 1");
        return;
      } catch {
        await sleep(200);
      }
    }
    throw new Error(await docker(["logs", name]));
  };

  const makeVolume = async (): Promise<void> => {
    await docker(["volume", "create", name]);
  };
  const clear = async (): Promise<void> => {
    await docker(["rm", "-f", name]);
    await docker(["volume", "rm", "-f", name]);
  };

  describe("with a cluster of its own making", () => {
    before(async () => {
      await makeVolume();
      await start(allowed);
      await answers();
    });
    after(clear);

    it("makes a cluster with checksums, UTF-8 and the stack's settings, as a user that is not root", async () => {
      const settings = ["data_checksums", "wal_level", "track_commit_timestamp", "max_prepared_transactions"];
      const shown = [];
      for (const setting of [...settings, "server_encoding", "TimeZone"])
        shown.push(await ask(`SHOW "${setting}"`));
      assert.deepEqual(shown, ["on", "logical", "on", "20", "UTF8", "Etc/UTC"]);
      assert.equal(await docker(["exec", name, "id", "-u"]), "999");
      assert.equal(await docker(["exec", name, "stat", "-c", "%u %a", data]), "999 700");
    });

    it("asks for the password over the network and keeps it out of the server's environment", async () => {
      const connect = (password: string) =>
        execa(
          "docker",
          ["exec", "-e", `PGPASSWORD=${password}`, name, "psql", "-h", "127.0.0.1", "-Atc", "SELECT 1"],
          { reject: false },
        );
      assert.equal((await connect("s3cret")).stdout, "1");
      assert.match((await connect("other")).stderr, /password authentication failed/u);
      assert.doesNotMatch(
        await docker(["exec", name, "sh", "-c", "tr '\\0' '\\n' < /proc/1/environ"]),
        /s3cret/u,
      );
    });

    it("leaves settings to ALTER SYSTEM: none is on the command line", async () => {
      await ask("ALTER SYSTEM SET max_prepared_transactions = 33");
      await docker(["restart", name]);
      await answers();
      assert.equal(await ask("SHOW max_prepared_transactions"), "33");
    });

    it("refuses a second server on a volume that one is using", async () => {
      const { exitCode, all } = await runOnce(mount);
      assert.equal(exitCode, 75);
      assert.match(all, /another server uses/u);
      assert.equal(await ask("SELECT 1"), "1");
    });

    it("starts again after kill -9 and stops cleanly when asked", async () => {
      await ask("CREATE TABLE kept AS SELECT 1 AS id");
      await docker(["kill", name]);
      await docker(["start", name]);
      await answers();
      assert.equal(await ask("SELECT count(*) FROM kept"), "1");
      await docker(["stop", name]);
      assert.match(await inVolume(`pg_controldata ${data} | grep state`), /shut down$/u);
    });

    it("refuses another cluster's volume", async () => {
      await docker(["start", name]);
      await answers();
      const identifier = await ask("SELECT system_identifier FROM pg_control_system()");
      await docker(["stop", name]);
      const other = await runOnce([...mount, "-e", "PG_EXPECT_SYSID=1"]);
      assert.equal(other.exitCode, 78);
      assert.ok(other.all.includes(identifier));
      await docker(["rm", name]);
      await start(["-e", `PG_EXPECT_SYSID=${identifier}`]);
      await answers();
    });
  });

  describe("with a volume that is not a whole cluster", () => {
    beforeEach(makeVolume);
    afterEach(clear);

    it("refuses an empty volume unless told to fill it", async () => {
      const { exitCode, all } = await runOnce(mount);
      assert.equal(exitCode, 78);
      assert.match(all, /is empty and PG_INIT=allow is not set/u);
      assert.equal(await inVolume("ls -A"), "");
    });

    it("refuses to begin with a password in clear", async () => {
      const { exitCode, all } = await runOnce([...mount, "-e", "PG_INIT=allow", "-e", "PG_SCRAM=plain"]);
      assert.equal(exitCode, 78);
      assert.match(all, /PG_SCRAM must hold the superuser's SCRAM-SHA-256 verifier/u);
      assert.doesNotMatch(all, /plain/u);
    });

    it("refuses a folder without pg_control, as an aborted restore leaves it, and touches nothing", async () => {
      await inVolume("mkdir base; echo 17 > PG_VERSION");
      const { exitCode, all } = await runOnce([...mount, ...allowed]);
      assert.equal(exitCode, 78);
      assert.match(all, /has files but no global\/pg_control/u);
      assert.equal(await inVolume("ls -A"), "PG_VERSION\nbase");
    });

    for (const delay of [100, 900]) {
      it(`repairs its own initdb killed after ${delay} ms`, async () => {
        await start(allowed);
        await sleep(delay);
        await docker(["kill", name]).catch(() => undefined);
        await docker(["start", name]);
        await answers();
        assert.equal(await inVolume("ls -A | grep -c initdb || true"), "0");
      });
    }

    it("finishes moving a new cluster into place when it was killed in the middle of that", async () => {
      await start(allowed);
      await answers();
      await docker(["stop", name]);
      await docker(["rm", name]);
      const identifier = await inVolume(
        `pg_controldata ${data} | sed -n 's/^Database system identifier: *//p'`,
      );
      // As a kill leaves it: some entries moved, global with its pg_control not yet.
      await inVolume("mkdir .initdb; mv global pg_wal postgresql.conf .initdb/; touch .initdb/.complete");
      await start([]);
      await answers();
      assert.equal(await ask("SELECT system_identifier FROM pg_control_system()"), identifier);
      assert.equal(await inVolume("ls -A | grep -c initdb || true"), "0");
    });
  });
});
