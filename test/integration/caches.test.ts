import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { clearFiles } from "../../operations/caches/files.ts";
import { clearRedis } from "../../operations/caches/redis.ts";
import { docker } from "../../operations/docker/run.ts";
import { isRefusal } from "../../settings/refusal.ts";

describe("clearing a Redis cache", function () {
  this.timeout(60_000);
  const container = `rbt-redis-${randomBytes(3).toString("hex")}`;
  const redis = (...command: string[]) => docker(["exec", container, "redis-cli", "-e", "--raw", ...command]);
  const fill = (prefix: string, count: number) =>
    redis(
      "EVAL",
      "for i = 1, ARGV[2] do redis.call('SET', ARGV[1] .. i, i) end return 1",
      "0",
      prefix,
      String(count),
    );

  before(async function () {
    this.timeout(600_000);
    await docker(["build", "-q", "-t", "rollback-redis:8", join(import.meta.dirname, "../../images/redis")], {
      timeoutMs: 600_000,
    });
    await docker(["run", "-d", "--name", container, "--network", "none", "rollback-redis:8"]);
    for (const until = Date.now() + 10_000; ;) {
      if ((await redis("PING").catch(() => "")) === "PONG") break;
      assert.ok(Date.now() < until, "Redis answers");
    }
  });
  after(() => docker(["rm", "--force", "--volumes", container]));
  beforeEach(() => redis("FLUSHALL"));

  it("runs without root", async () => {
    assert.equal(await docker(["exec", container, "id", "-un"]), "redis");
  });

  it("finds nothing to do in an empty one", async () => {
    assert.equal(await clearRedis(container, { pattern: "session:*" }), 0);
    assert.equal(await clearRedis(container, { all: true }), 0);
  });

  it("removes what matches, counts it, and leaves the rest", async () => {
    await fill("session:", 25_000);
    await fill("recipe:", 7);
    const said: string[] = [];
    assert.equal(await clearRedis(container, { pattern: "session:*" }, (line) => said.push(line)), 25_000);
    assert.equal(await redis("DBSIZE"), "7");
    assert.deepEqual(said, [`${container}: 25000 keys removed (pattern "session:*")`]);
    assert.equal(await clearRedis(container, { pattern: "session:*" }), 0);
  });

  it("takes keys and patterns of any text for what they are", async () => {
    await redis("SET", "a b\n$(id)\"'", "1");
    await redis("SET", "-x; rm", "1");
    await redis("SET", "ax", "1");
    assert.equal(await clearRedis(container, { pattern: "a b*$(id)*" }), 1);
    assert.equal(await clearRedis(container, { pattern: "-x;*" }), 1);
    assert.equal(await clearRedis(container, { pattern: "a[xy]" }), 1);
  });

  it("removes everything, in every database, only when asked for all", async () => {
    await fill("session:", 3);
    await redis("-n", "5", "SET", "other", "1");
    assert.equal(await clearRedis(container, { pattern: "*" }), 3);
    assert.equal(await redis("-n", "5", "DBSIZE"), "1");
    await fill("session:", 3);
    assert.equal(await clearRedis(container, { all: true }), 4);
    assert.equal(await redis("-n", "5", "DBSIZE"), "0");
  });

  it("says what Redis said when it cannot", async () => {
    await redis("ACL", "SETUSER", "default", "-unlink");
    await fill("session:", 1);
    try {
      await assert.rejects(
        clearRedis(container, { pattern: "session:*" }),
        (error) => isRefusal(error, "CACHE_NOT_CLEARED") && /unlink/i.test(error.message),
      );
    } finally {
      await redis("ACL", "SETUSER", "default", "+unlink");
    }
  });
});

describe("clearing files in a volume", function () {
  this.timeout(60_000);
  const volume = `rbt-files-${randomBytes(3).toString("hex")}`;
  const shell = (script: string) =>
    docker([
      "run",
      "--rm",
      "--network",
      "none",
      "-v",
      `${volume}:/v`,
      "debian:trixie-slim",
      "sh",
      "-ec",
      script,
    ]);
  const left = async () => (await shell("cd /v && find . ! -type d | sort")).split("\n").filter(Boolean);

  beforeEach(async () => {
    await docker(["volume", "create", volume]);
    await shell(`cd /v
      mkdir -p thumbs/2026 originals && printf 12345 > thumbs/a.jpg && printf 123 > thumbs/2026/b.jpg
      printf 1 > "thumbs/2026/c
d.jpg"; chown -R 1234 thumbs; chmod 500 thumbs/2026; touch thumbs/keep.txt originals/a.jpg top.jpg
      ln -s ../originals thumbs/link; ln -s /etc/hostname thumbs/away.jpg`);
  });
  afterEach(() => docker(["volume", "rm", "--force", volume]));

  it("removes what matches, whoever owns it, counts it, and follows no link", async () => {
    assert.deepEqual(await clearFiles(volume, "thumbs/**/*.jpg"), {
      count: 4,
      bytes: 5 + 3 + 1 + "/etc/hostname".length,
    });
    assert.deepEqual(await left(), ["./originals/a.jpg", "./thumbs/keep.txt", "./thumbs/link", "./top.jpg"]);
    assert.deepEqual(await clearFiles(volume, "thumbs/**/*.jpg"), { count: 0, bytes: 0 });
  });

  it("stays within a folder's own names with one star", async () => {
    assert.equal((await clearFiles(volume, "thumbs/*.jpg")).count, 2);
    assert.equal((await clearFiles(volume, "*.jpg")).count, 1);
    assert.deepEqual(
      (await left()).filter((name) => name.endsWith("a.jpg")),
      ["./originals/a.jpg"],
    );
  });

  it("takes everything below a folder with two", async () => {
    await clearFiles(volume, "thumbs/**");
    assert.deepEqual(await left(), ["./originals/a.jpg", "./top.jpg"]);
  });

  it("makes no volume that is not there", async () => {
    const missing = `${volume}-missing`;
    assert.deepEqual(await clearFiles(missing, "**"), { count: 0, bytes: 0 });
    await assert.rejects(docker(["volume", "inspect", missing]));
  });

  it("refuses a volume of a stack's own", async () => {
    const own = `${volume}-own`;
    await docker(["volume", "create", "--label", "rollback.stack=a/b", own]);
    try {
      await assert.rejects(clearFiles(own, "**"), (error) => isRefusal(error, "CACHE_NOT_CLEARED"));
    } finally {
      await docker(["volume", "rm", own]);
    }
  });
});
