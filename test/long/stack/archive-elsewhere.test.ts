import assert from "node:assert/strict";
import { docker } from "../../../operations/docker/run.ts";
import { startS3, type TestS3 } from "../../support/s3.ts";
import { assertServes } from "../../support/stack-checks.ts";
import { createStack, type ScratchStack } from "../../support/stack.ts";

const accessKey = "AKIAROLLBACK";
const keySecret = "only-the-server-may-know-this";

describe("an archive in a bucket, encrypted", function () {
  this.timeout(300_000);
  let stack: ScratchStack;
  let storage: TestS3;
  let volume: string;

  const configure = (live: "1.2.0" | "1.2.1", dataVolume: string, recovery?: object): Promise<void> =>
    stack.configure(
      { live: { [live]: 100 }, releases: ["1.2.0", "1.2.1"], redis: false, safety: { bake: "0s" } },
      (config) => {
        const cluster = config["rollback:cluster"] as Record<string, unknown>;
        const { host: endpoint, port, certificate } = storage;
        const s3 = {
          ...{
            bucket: "backups",
            endpoint,
            port,
            region: "eu-test",
            path: "/prod",
            style: "path",
            certificate,
          },
          ...{ key: { secret: "s3Key" }, keySecret: { secret: "s3Secret" } },
        };
        const backup = {
          ...(cluster["backup"] as object),
          ...{ schedule: "0 3 * * *", s3, encryption: { secret: "archive" } },
        };
        return {
          ...config,
          "rollback:cluster": { ...cluster, backup, volume: dataVolume },
          ...(recovery !== undefined && { "rollback:recovery": recovery }),
        };
      },
    );
  const write = (name: string): Promise<unknown> =>
    stack.query("meal_planner", "insert into meals (name, slot, calories) values ($1, 'lunch', 100)", [name]);

  before(async () => {
    stack = await createStack();
    volume = `${stack.volumes.data}-2`;
    storage = await startS3("backups", accessKey);
    const secrets = { s3Key: accessKey, s3Secret: keySecret, archive: "a long passphrase" };
    for (const [name, input] of Object.entries(secrets))
      await stack.pulumi(["config", "set", "--secret", "--path", `rollback:secrets.${name}`], { input });
    await configure("1.2.0", stack.volumes.data);
    await stack.up();
  });
  after(async () => {
    await stack.cleanup();
    await docker(["volume", "rm", "-f", volume]);
    await storage.stop();
  });

  it("holds a base backup after the first up, and nothing of it beside the dumps", async () => {
    const config = "--config=/var/lib/postgresql/data/rollback-pgbackrest.conf";
    const { postgres } = stack.names;
    const info = await docker(["exec", postgres, "pgbackrest", config, "--stanza=main", "info"]);
    assert.match(info, /status: ok[^]*cipher: aes-256-cbc[^]*full backup: /);
    const beside = await docker(["exec", postgres, "sh", "-c", "ls /var/lib/dumps"]);
    assert.doesNotMatch(beside, /pgbackrest/);
  });

  it("keeps keys and passphrase where PostgreSQL alone reads them", async () => {
    const script = "cd /var/lib/postgresql/data && stat -c '%a %U %n' rollback-pgbackrest.conf*";
    const files = await docker(["exec", stack.names.postgres, "sh", "-c", script]);
    assert.deepEqual(files.split("\n"), [
      "600 postgres rollback-pgbackrest.conf",
      "600 postgres rollback-pgbackrest.conf.pem",
    ]);
    const state = await stack.exported();
    for (const secret of [keySecret, "a long passphrase"]) assert.ok(!state.includes(secret));
  });

  it("recovers from there", async () => {
    await write("kept");
    await stack.query("postgres", "select pg_create_restore_point('before-the-damage')");
    await stack.query("meal_planner", "delete from meals");
    const target = { restorePoint: "before-the-damage" };
    await configure("1.2.0", volume, { volume, from: stack.volumes.data, target, laterWrites: "drop" });
    await stack.up();
    await assertServes(stack, "1.2.0");
    assert.deepEqual(await stack.query("meal_planner", "select name from meals"), [{ name: "kept" }]);
  });

  it("does not stand in the way back when the bucket is out of reach, and says so", async () => {
    await configure("1.2.1", volume);
    await stack.up();
    await storage.stop();
    await stack.query("postgres", "select pg_switch_wal()");
    await configure("1.2.0", volume);
    const { output } = await stack.up();
    assert.match(output, /WARNING: the archive of the WAL fails: /);
    await assertServes(stack, "1.2.0");
  });

  it("lets no release in while nothing could be recovered from it, with nothing stopped", async () => {
    await configure("1.2.1", volume);
    const { output } = await stack.up({ expectFailure: true });
    assert.match(output, /refused ARCHIVE_FAILED: /);
    assert.ok(!output.includes(keySecret));
    await assertServes(stack, "1.2.0");
  });
});
