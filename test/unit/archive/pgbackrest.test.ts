import assert from "node:assert/strict";
import { archiveConfiguration } from "../../../operations/archive/pgbackrest.ts";
import { secretsFrom } from "../../../settings/secrets.ts";
import type { Backup, S3 } from "../../../settings/types.ts";

const file = "/var/lib/postgresql/data/rollback-pgbackrest.conf";
const secrets = secretsFrom(new Map(Object.entries({ key: "AKIA", keySecret: "hush", phrase: "long" })));
const beside: Backup = {
  repository: { volume: "dumps" },
  s3: undefined,
  schedule: { full: "@daily", diff: undefined, incr: undefined },
  retention: { dumps: 10, full: 3 },
  encryption: undefined,
  changes: undefined,
};
const s3: S3 = {
  ...{ bucket: "backups", endpoint: "s3.example.com", port: 9000, region: "eu-1", path: "/prod" },
  ...{ style: "path", key: { secret: "key" }, keySecret: { secret: "keySecret" } },
  ...{ verifyTls: true, certificate: undefined },
};
const lines = (backup: Backup): string[] => archiveConfiguration(backup, secrets, { file }).split("\n");

describe("pgBackRest's configuration", () => {
  it("keeps the archive beside the dumps, for as many full backups as are wanted", () => {
    const text = lines(beside);
    assert.ok(text.includes("repo1-path=/var/lib/dumps/pgbackrest"));
    assert.ok(text.includes("repo1-retention-full=3"));
    assert.ok(!text.some((line) => /s3|cipher/.test(line)));
  });

  it("encrypts with the passphrase that is named", () => {
    const text = lines({ ...beside, encryption: { secret: "phrase" } });
    assert.ok(text.includes("repo1-cipher-type=aes-256-cbc"));
    assert.ok(text.includes("repo1-cipher-pass=long"));
  });

  it("keeps the archive in a bucket", () => {
    const text = lines({ ...beside, s3 });
    for (const line of [
      ...["repo1-type=s3", "repo1-path=/prod", "repo1-s3-bucket=backups", "repo1-s3-endpoint=s3.example.com"],
      ...["repo1-s3-region=eu-1", "repo1-s3-uri-style=path", "repo1-s3-key=AKIA", "repo1-s3-key-secret=hush"],
      "repo1-storage-port=9000",
    ])
      assert.ok(text.includes(line), line);
    assert.ok(!text.some((line) => /verify-tls|ca-file/.test(line)));
  });

  it("trusts the given certificate only, or nobody in particular when told so", () => {
    assert.ok(
      lines({ ...beside, s3: { ...s3, certificate: "PEM" } }).includes(`repo1-storage-ca-file=${file}.pem`),
    );
    assert.ok(lines({ ...beside, s3: { ...s3, verifyTls: false } }).includes("repo1-storage-verify-tls=n"));
  });

  it("leaves itself and its neighbours out of base backups", () => {
    const left = lines(beside).filter((line) => line.startsWith("exclude="));
    assert.deepEqual(left, [
      "exclude=rollback-pgbackrest.conf",
      "exclude=rollback-pgbackrest.conf.pem",
      "exclude=rollback-recovery.json",
    ]);
  });
});
