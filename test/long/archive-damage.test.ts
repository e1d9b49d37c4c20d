import assert from "node:assert/strict";
import { baseBackup } from "../../operations/archive/base-backup.ts";
import { configureServer } from "../../operations/archive/set-up.ts";
import { archiveProblems } from "../../operations/archive/verify.ts";
import { docker } from "../../operations/docker/run.ts";
import { access } from "../../operations/plan/access.ts";
import { isRefusal } from "../../settings/refusal.ts";
import { startArchivedServer, type ArchivedServer } from "../support/archived-server.ts";

const repository = "/var/lib/dumps/pgbackrest";

describe("damage that pgBackRest passes over", function () {
  this.timeout(120_000);
  let server: ArchivedServer;

  const inside = (script: string): Promise<string> =>
    docker(["exec", "-u", "postgres", server.container, "bash", "-ec", script]);

  before(async () => {
    server = await startArchivedServer();
  });
  after(() => server.cleanup());

  it("is found in a description that is damaged, or gone", async () => {
    for (const [damage, mend, found] of [
      [
        "cd archive/main; cp archive.info /tmp/1; head -c 50 /tmp/1 > archive.info",
        "cp /tmp/1 archive/main/archive.info",
        /archive\.info and its copy differ/,
      ],
      [
        "cd backup/main; mv backup.info.copy /tmp/1",
        "mv /tmp/1 backup/main/backup.info.copy",
        /backup\.info\.copy is gone or cannot be read/,
      ],
      [
        'cd backup/main/*F; cp backup.manifest /tmp/1; sed -i \'0,/"size":8192/s//"size":8193/\' backup.manifest',
        "cp /tmp/1 backup/main/*F/backup.manifest",
        /backup\.manifest and its copy differ/,
      ],
    ] as const) {
      await inside(`cd ${repository}; ${damage}`);
      const problems = await archiveProblems(server.container);
      await inside(`cd ${repository}; ${mend}`);
      assert.match(`${damage}:\n${problems.join("\n")}`, found);
    }
  });

  it("gets no backup of a database whose own pages are damaged without a word, and keeps the older one for it", async () => {
    await server.query(
      "meal_planner",
      "create table t as select generate_series(1, 5000) as x",
      "checkpoint",
    );
    const [row] = await server.query("meal_planner", "select pg_relation_filepath('t') as path");
    const file = `/var/lib/postgresql/data/${String(row?.["path"])}`;
    await inside(`cp ${file} /tmp/page; printf x | dd of=${file} bs=1 seek=12000 conv=notrunc status=none`);
    const { cluster } = server.settings;
    const once = { ...cluster.backup, retention: { ...cluster.backup.retention, full: 1 } };
    const request = { container: server.container, backup: once, secrets: server.settings.secrets };
    await configureServer({ ...request, server: access(server.settings), say: () => undefined });
    const said: string[] = [];
    const make = (): Promise<void> => baseBackup({ ...request, say: (line) => said.push(line) }, "full");
    await assert.rejects(make(), (error) => {
      assert.match(String(error), /holds pages whose checksum is wrong: the database itself is damaged/);
      return isRefusal(error, "BACKUP_DAMAGED");
    });
    const folders = async (): Promise<number> =>
      Number(await inside(`ls -d ${repository}/backup/main/2*F | wc -l`));
    assert.equal(await folders(), 2);
    assert.match((await archiveProblems(server.container)).join("\n"), /holds damaged pages/);
    await inside(`cp /tmp/page ${file}`);
    await make();
    assert.equal(await folders(), 1);
    assert.match(said.join(), /base backup \(full\) in /);
  });
});
