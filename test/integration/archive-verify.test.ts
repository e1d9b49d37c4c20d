import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { archiveUpToNow } from "../../operations/archive/set-up.ts";
import { archiveProblems } from "../../operations/archive/verify.ts";
import { observeServer } from "../../operations/database/observe.ts";
import { docker } from "../../operations/docker/run.ts";
import { access } from "../../operations/plan/access.ts";
import { startArchivedServer, type ArchivedServer } from "../support/archived-server.ts";

describe("reading a whole archive", function () {
  this.timeout(120_000);
  let server: ArchivedServer;

  const inside = (script: string): Promise<string> =>
    docker(["exec", "-u", "postgres", server.container, "bash", "-ec", script]);

  before(async () => {
    server = await startArchivedServer();
    for (let n = 0; n < 3; n += 1) {
      await server.query("postgres", "select pg_logical_emit_message(true, 'a', 'b')");
      await archiveUpToNow(server.container);
    }
  });
  after(() => server.cleanup());

  it("finds nothing in one that is whole", async () => {
    assert.deepEqual(await archiveProblems(server.container), []);
  });

  it("finds a segment that is gone, one that is cut short, and a file of a backup that was overwritten", async () => {
    await inside(`cd /var/lib/dumps/pgbackrest/archive/main/17-1/0*
      rm "$(ls *.zst | tail -n 2 | head -n 1)"; truncate -s 100 "$(ls *.zst | tail -n 1)"
      file=$(find ../../../../backup/main/2*/pg_data/base -name '*.zst' -size +2k | head -n 1)
      printf x | dd of="$file" bs=1 seek=100 conv=notrunc status=none`);
    const problems = (await archiveProblems(server.container)).join("\n");
    assert.match(problems, /archiveId: 17-1: 1 of \d+ files are damaged/);
    assert.match(problems, /backup: \S+, status: invalid: 1 of \d+ files are damaged/);
    assert.match(problems, /WAL: [0-9A-F]{24} is missing/);
  });

  it("is told apart from one that takes nothing: the server names the segment that waits", async () => {
    const question = { roles: [], rolePrefixes: [], settings: [] };
    const look = async (): Promise<string | null> =>
      (await observeServer(access(server.settings), question)).unarchived;
    assert.equal(await look(), null);
    const [row] = await server.query(
      "postgres",
      "alter system set archive_command = 'false'",
      "select pg_reload_conf()",
      "select pg_logical_emit_message(true, 'a', 'b')",
      "select pg_walfile_name(pg_switch_wal()) as segment",
    );
    while ((await look()) === null) await sleep(200);
    assert.equal(await look(), row?.["segment"]);
  });
});
