import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { docker } from "../../../operations/docker/run.ts";
import { searchFiles, watchArguments } from "../../support/secrets-search.ts";
import { assertServes } from "../../support/stack-checks.ts";
import { createStack, type ScratchStack } from "../../support/stack.ts";

describe("an archive on a volume", function () {
  this.timeout(300_000);
  const repository = "/var/lib/dumps/pgbackrest";
  let stack: ScratchStack;

  const configure = (live: "1.2.0" | "1.2.1"): Promise<void> =>
    stack.configure(
      { live: { [live]: 100 }, releases: ["1.2.0", "1.2.1"], redis: false, safety: { bake: "0s" } },
      (config) => {
        const cluster = config["rollback:cluster"] as Record<string, unknown>;
        const backup = { ...(cluster["backup"] as object), schedule: "0 3 * * *" };
        return { ...config, "rollback:cluster": { ...cluster, backup } };
      },
    );
  const shell = (script: string): Promise<string> =>
    docker(["exec", "-u", "postgres", stack.names.postgres, "bash", "-ec", script]);
  /** As the disk that is full, or the right that somebody took, has it: what is written waits. */
  const breakArchive = (): Promise<string> =>
    shell(`chmod a-w ${repository}/archive/main/*/ ${repository}/archive/main/*/*/
      psql -qAtc "select pg_logical_emit_message(true, 'a', 'b')" -c "select pg_switch_wal()" > /tmp/switched
      until psql -qAtc 'select last_failed_time > coalesce(last_archived_time, $$epoch$$) from pg_stat_archiver' | grep -q t; do sleep 0.2; done`);

  before(async () => {
    stack = await createStack();
    await configure("1.2.0");
  });
  after(() => stack.cleanup());

  it("is made, and dumps are, without one secret in the arguments of a process", async () => {
    const { seen, found } = await watchArguments(stack.secrets, async () => {
      await stack.up();
      await configure("1.2.1");
      await stack.up();
      await configure("1.2.0");
      await stack.up();
    });
    assert.ok(seen > 100, `only ${String(seen)} processes`);
    assert.deepEqual(found, []);
  });

  it("holds no secret in any byte, compressed or not, and nothing that others may read; nor do the dumps", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "rollback-archive-"));
    try {
      await docker(["cp", `${stack.names.postgres}:/var/lib/dumps`, folder]);
      // What the search must be able to find.
      const [password = ""] = stack.secrets;
      const known = await searchFiles(folder, ["meal_planner"]);
      assert.ok(known.found.length > 2, known.found.join());
      const { files, unpacked, found } = await searchFiles(folder, stack.secrets);
      assert.ok(files > 900 && unpacked > 900, `${String(files)} files, ${String(unpacked)} unpacked`);
      assert.ok(password.length > 20);
      assert.deepEqual(found, []);
    } finally {
      await rm(folder, { recursive: true });
    }
    assert.equal(await shell("find /var/lib/dumps -mindepth 1 ! -type l -perm /077"), "");
  });

  it("that takes nothing lets no release in, with nothing stopped, and says what waits and how long that can last", async () => {
    await breakArchive();
    await configure("1.2.1");
    const { output } = await stack.up({ expectFailure: true });
    assert.match(output, /refused ARCHIVE_FAILED: /);
    assert.match(output, /\d segments? of WAL \(\d+ MB\) waits?|\d segments? of WAL/);
    for (const secret of stack.secrets) assert.ok(!output.includes(secret));
    await assertServes(stack, "1.2.0");
  });

  it("lets the release in once it is mended, and has every segment then", async () => {
    await shell(`chmod u+w ${repository}/archive/main/*/ ${repository}/archive/main/*/*/`);
    await stack.up();
    await assertServes(stack, "1.2.1");
    assert.match(
      await shell("cat /tmp/switched; psql -qAtc 'select failed_count from pg_stat_archiver'"),
      /\d/,
    );
    assert.equal(
      await shell(`psql -qAtc "select count(*) from pg_ls_archive_statusdir() where name like '%.ready'"`),
      "0",
    );
  });

  it("does not stand in the way back, which says that it fails", async () => {
    await breakArchive();
    await configure("1.2.0");
    const { output } = await stack.up();
    assert.match(output, /WARNING: the archive of the WAL fails: /);
    await assertServes(stack, "1.2.0");
  });
});
