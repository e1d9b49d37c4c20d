import assert from "node:assert/strict";
import { checkArchive, configureServer, prepareArchive } from "../../operations/archive/set-up.ts";
import { archiveProblems } from "../../operations/archive/verify.ts";
import { withClient } from "../../operations/database/connection.ts";
import { docker } from "../../operations/docker/run.ts";
import { archiveSettings } from "../../settings/archive.ts";
import { secretsFrom } from "../../settings/secrets.ts";
import type { Backup } from "../../settings/types.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";

const backup: Backup = {
  repository: { volume: "unused" },
  s3: undefined,
  schedule: { full: "@daily", diff: undefined, incr: undefined },
  retention: { dumps: 1, full: 2 },
  encryption: undefined,
};

describe("reading a whole archive", function () {
  this.timeout(120_000);
  let postgres: TestPostgres;

  const inside = (script: string): Promise<string> =>
    docker(["exec", "-u", "postgres", postgres.container, "bash", "-ec", script]);

  before(async () => {
    postgres = await startPostgres();
    const say = (): void => undefined;
    const { container, server } = postgres;
    const request = { container, server, backup, secrets: secretsFrom(new Map()), say };
    await configureServer(request);
    await prepareArchive(request);
    for (const [name, value] of archiveSettings)
      await withClient(server, "postgres", (client) => client.query(`alter system set ${name} = '${value}'`));
    await postgres.restart();
    await checkArchive(request);
    for (let n = 0; n < 3; n += 1) {
      await inside("psql -qAtc 'select pg_logical_emit_message(true, $$a$$, $$b$$), pg_switch_wal()'");
      await checkArchive(request);
    }
  });
  after(() => postgres.remove());

  it("finds nothing in one that is whole", async () => {
    assert.deepEqual(await archiveProblems(postgres.container), []);
  });

  it("finds a segment that is gone, one that is cut short, and a file of a backup that was overwritten", async () => {
    await inside(`cd /var/lib/dumps/pgbackrest/archive/main/17-1/0*
      rm "$(ls *.zst | tail -n 2 | head -n 1)"; truncate -s 100 "$(ls *.zst | tail -n 1)"
      file=$(find ../../../../backup/main/2*/pg_data/base -name '*.zst' -size +2k | head -n 1)
      printf x | dd of="$file" bs=1 seek=100 conv=notrunc status=none`);
    const problems = (await archiveProblems(postgres.container)).join("\n");
    assert.match(problems, /archiveId: 17-1: 1 of \d+ files are damaged/);
    assert.match(problems, /backup: \S+, status: invalid: 1 of \d+ files are damaged/);
    assert.match(problems, /WAL: [0-9A-F]{24} is missing/);
  });
});
