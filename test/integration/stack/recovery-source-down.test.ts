import assert from "node:assert/strict";
import { docker } from "../../../operations/docker/run.ts";
import { dataFolder } from "../../../settings/archive.ts";
import { assertServes } from "../../support/stack-checks.ts";
import { createStack, type Config, type ScratchStack } from "../../support/stack.ts";

describe("a recovery from a server that does not start any more", function () {
  this.timeout(300_000);
  let stack: ScratchStack;
  let volume: string;

  const configure = (more: object = {}, recovery?: object): Promise<void> =>
    stack.configure(
      { safety: { bake: "0s" }, redis: false, live: { "1.2.0": 100 }, releases: ["1.2.0"] },
      (config: Config) => {
        const cluster = config["rollback:cluster"] as Record<string, unknown>;
        const backup = { ...(cluster["backup"] as object), schedule: "0 3 * * *" };
        return {
          ...config,
          "rollback:cluster": { ...cluster, backup, ...more },
          ...(recovery === undefined ? {} : { "rollback:recovery": recovery }),
        };
      },
    );
  const recover = (laterWrites: "keep" | "drop"): Promise<void> =>
    configure({ volume }, { volume, from: stack.volumes.data, target: { before: "1.2.0" }, laterWrites });

  before(async () => {
    stack = await createStack();
    volume = `${stack.volumes.data}-2`;
    await configure();
    await stack.up();
    await stack.query("meal_planner", "insert into meals (name, slot, calories) values ('last', 'lunch', 1)");
    const control = `${dataFolder}/global/pg_control`;
    await docker(["exec", stack.names.postgres, "mv", control, `${control}.gone`]);
    await docker(["kill", stack.names.postgres]);
  });
  after(async () => {
    await stack.cleanup();
    await docker(["volume", "rm", "-f", volume]);
  });

  it("is refused in place of putting an empty cluster there, and says so in a preview", async () => {
    await recover("keep");
    const { output } = await stack.preview();
    assert.match(output, /does not run: `pulumi up` starts it on \S+ and plans the way to \S+-2 then/);
    const refused = await stack.up({ expectFailure: true });
    assert.match(refused.output, /refused SOURCE_DOWN: the server does not start on/);
    const volumes = await docker(["volume", "ls", "-q", "--filter", `name=${volume}`]);
    assert.equal(volumes, "", "no new volume was made");
  });

  it("is refused with writes to drop as well, as long as there is nothing on the other volume", async () => {
    await recover("drop");
    const { output } = await stack.up({ expectFailure: true });
    assert.match(output, /refused SOURCE_DOWN/);
  });

  it("serves what was restored by hand, as docs/recovery.md has it, up to the last commit", async () => {
    await docker(["stop", stack.names.postgres]);
    await docker(["volume", "create", volume]);
    const script = `set -e; cp -p /old/rollback-pgbackrest.conf* /dev/shm
      pgbackrest --config=/dev/shm/rollback-pgbackrest.conf --stanza=main restore \
        --recovery-option=restore_command="pgbackrest --config=$PGDATA/rollback-pgbackrest.conf --stanza=main archive-get %f %p"
      cp -p /dev/shm/rollback-pgbackrest.conf* $PGDATA; cp -n /old/pg_wal/0* $PGDATA/pg_wal
      pg_ctl -w -t 86400 start; until psql -XAtc "select pg_is_in_recovery()" | grep -q f; do sleep 1; done; pg_ctl stop`;
    await docker([
      ...[
        "run",
        "--rm",
        "-u",
        "postgres",
        "-v",
        `${volume}:${dataFolder}`,
        "-v",
        `${stack.volumes.data}:/old:ro`,
      ],
      ...["-v", `${stack.volumes.dumps}:/var/lib/dumps`, "rollback-postgres:17.1", "sh", "-c", script],
    ]);
    await recover("drop");
    await stack.up();
    await assertServes(stack, "1.2.0");
    assert.deepEqual(await stack.query("meal_planner", "select name from meals"), [{ name: "last" }]);
    await stack.up({ args: ["--expect-no-changes"] });
  });
});
