import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { archiveUpToNow, prepareArchive } from "../../operations/archive/set-up.ts";
import { archiveProblems } from "../../operations/archive/verify.ts";
import { observeServer } from "../../operations/database/observe.ts";
import { docker } from "../../operations/docker/run.ts";
import { access } from "../../operations/plan/access.ts";
import { isRefusal } from "../../settings/refusal.ts";
import { startArchivedServer, type ArchivedServer } from "../support/archived-server.ts";

const repository = "/var/lib/dumps/pgbackrest";

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

  it("whose files nobody but PostgreSQL's user can read, also after somebody opened it to others", async () => {
    const open = (): Promise<string> => inside(`find ${repository} ! -type l -perm /077`);
    assert.equal(await open(), "");
    await inside(`chmod 755 ${repository}`);
    const { settings, container } = server;
    await prepareArchive({
      ...{ container, server: access(settings), backup: settings.cluster.backup, secrets: settings.secrets },
      say: (line) => assert.fail(line),
    });
    assert.equal(await open(), "");
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

  it("that cannot be read at all is refused, and not taken for one without a backup", async () => {
    const config = "/var/lib/postgresql/data/rollback-pgbackrest.conf";
    const encrypted = "repo1-cipher-type=aes-256-cbc\\nrepo1-cipher-pass=another-passphrase\\nstart-fast";
    for (const [damage, mend, found] of [
      [
        `cp ${config} /tmp/7; sed -i 's/^start-fast/${encrypted}/' ${config}`,
        `cp /tmp/7 ${config}`,
        /CryptoError.*\n[^]*Compare the passphrase/,
      ],
      [`chmod 000 ${repository}`, `chmod 700 ${repository}`, /Permission denied/],
      [`mv ${repository}/archive /tmp/8`, `mv /tmp/8 ${repository}/archive`, /archive\.info/],
      [
        `cd ${repository}/backup/main; mkdir /tmp/9; cp backup.info* /tmp/9; truncate -s 50 backup.info*`,
        `cp /tmp/9/* ${repository}/backup/main/`,
        /backup\.info/,
      ],
    ] as const) {
      await inside(damage);
      try {
        await assert.rejects(archiveProblems(server.container), (error) => {
          assert.ok(isRefusal(error, "ARCHIVE_FAILED"), String(error));
          assert.match(error.message, found);
          return !error.message.includes("another-passphrase");
        });
      } finally {
        await inside(mend);
      }
    }
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
