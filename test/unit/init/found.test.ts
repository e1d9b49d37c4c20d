import assert from "node:assert/strict";
import { parse } from "yaml";
import { portOf, unlike, volumesOf } from "../../../operations/init/application.ts";
import { foldersOf } from "../../../operations/init/folders.ts";
import { beginningsOf } from "../../../operations/init/cache.ts";
import { containersOf, roleOf } from "../../../operations/init/containers.ts";
import { partOf } from "../../../operations/init/draft-names.ts";
import { pathOf } from "../../../operations/init/health.ts";
import { choose } from "../../../operations/init/migrations.ts";
import { frontedBy, includes, stays } from "../../../operations/init/proxy.ts";
import { hasConfiguration, renderStackFile, secretNames } from "../../../operations/init/render.ts";
import { serverSettings } from "../../../operations/init/server-settings.ts";
import type { ForeignContainer } from "../../../operations/takeover/inspect.ts";

const container = (more: Partial<ForeignContainer>): ForeignContainer => ({
  name: "app-web-1",
  running: true,
  image: "web:1",
  imageId: "sha256:0",
  environment: new Map(),
  labels: new Map(),
  command: ["serve"],
  entrypoint: [],
  user: "",
  mounts: [],
  published: [],
  exposed: [],
  networks: new Map(),
  aliases: [],
  healthcheck: [],
  memory: 0,
  stopTimeout: undefined,
  ...more,
});
const published = (inner: number, port = inner) => ({ inner, port, address: "0.0.0.0" });

describe("what runs of a compose project", () => {
  it("is told by Compose's labels, by name, or by Compose's way of naming", () => {
    const labels = (project: string) =>
      new Map([
        ["com.docker.compose.project", project],
        ["com.docker.compose.service", "web"],
      ]);
    const all = [
      container({ name: "one", labels: labels("app") }),
      container({ name: "two", labels: labels("other") }),
      container({ name: "app-web-1" }),
      container({ name: "app_web_2" }),
      container({ name: "app-web-1-more" }),
      container({ name: "site" }),
    ];
    const service = { name: "web", image: undefined, containerName: "site", profiles: [], build: undefined };
    const found = containersOf({ name: "app", folder: "/app" }, service, all);
    assert.deepEqual(
      found.map(({ name }) => name),
      ["one", "app-web-1", "app_web_2", "site"],
    );
  });

  it("has its role from the image", () => {
    const role = (image: string, environment = new Map<string, string>()) => roleOf({ image, environment });
    assert.deepEqual(
      [
        "postgres:17",
        "docker.io/library/postgres@sha256:aa",
        "pgvector/pgvector:pg17",
        "postgis/postgis",
      ].map((image) => role(image)),
      ["server", "server", "server", "server"],
    );
    assert.equal(role("registry:5000/ours:1", new Map([["PGDATA", "/data"]])), "server");
    assert.deepEqual(
      [role("redis:7-alpine"), role("nginx"), role("traefik:v3")],
      ["cache", "proxy", "proxy"],
    );
    assert.deepEqual([role("our/nginx-app:1"), role("redis-commander")], ["application", "cache"]);
  });

  it("answers on the only published port, else on the only exposed one", () => {
    assert.equal(portOf({ published: [published(8080, 80), published(8080, 81)], exposed: [8080, 9] }), 8080);
    assert.equal(portOf({ published: [], exposed: [3000] }), 3000);
    assert.equal(portOf({ published: [published(1), published(2)], exposed: [1] }), undefined);
    assert.equal(portOf({ published: [], exposed: [] }), undefined);
  });

  it("keeps its volumes, and is no release when it has a command of its own or a folder", () => {
    const defaults = { environment: new Map<string, string>(), command: ["serve"], entrypoint: [], user: "" };
    const mount = {
      type: "volume",
      volume: "uploads",
      source: "/x",
      destination: "/srv/uploads",
      writable: true,
    };
    const mounts = [mount, { ...mount, destination: "/cache", volume: "0a".repeat(32) }];
    assert.deepEqual(unlike("web", container({ mounts }), defaults, []), []);
    assert.deepEqual([...volumesOf({ mounts })], [["/srv/uploads", "uploads"]]);
    const folder = { ...mount, type: "bind", volume: undefined };
    const problems = unlike("web", container({ command: ["work"], mounts: [folder] }), defaults, []);
    assert.match(problems[0] ?? "", /runs "work" instead of what its image says/);
    assert.match(problems[1] ?? "", /has \/x of this machine at \/srv\/uploads/);
  });

  it("keeps a folder of the machine that it writes to, under a volume, and no file or folder that it reads", async () => {
    const here = import.meta.dirname;
    const bind = {
      type: "bind",
      volume: undefined,
      source: here,
      destination: "/srv/up loads",
      writable: true,
    };
    const mounts = [
      bind,
      { ...bind, destination: "/config", writable: false },
      { ...bind, source: import.meta.filename, destination: "/settings.json" },
      { ...bind, source: "/not/on/this/machine", destination: "/elsewhere" },
    ];
    const folders = await foldersOf("web", { mounts }, { project: "shop", stack: "prod" });
    assert.deepEqual(folders, [
      { volume: "shop-prod-web-srv-up-loads", folder: here, destination: "/srv/up loads" },
    ]);
    const defaults = { environment: new Map<string, string>(), command: ["serve"], entrypoint: [], user: "" };
    assert.equal(unlike("web", container({ mounts }), defaults, folders).length, 3);
  });

  it("tells its health by the path of its check", () => {
    assert.equal(pathOf(["CMD-SHELL", "curl -fsS http://localhost:8080/healthz || exit 1"]), "/healthz");
    assert.equal(pathOf(["CMD", "wget", "-q", "http://127.0.0.1:3000"]), "/");
    assert.equal(pathOf(["CMD", "pg_isready"]), undefined);
  });

  it("is behind nginx where that passes requests to it", () => {
    const services = [
      { name: "web", aliases: ["web"] },
      { name: "api", aliases: ["api"] },
    ];
    const conf =
      "upstream u { server web:8080; }\nserver { listen 80; location / { proxy_pass http://u; } } # proxy_pass http://api";
    assert.deepEqual(frontedBy(conf, [published(80, 8000)], services).services, ["web"]);
    assert.deepEqual(frontedBy("proxy_pass http://web:1; proxy_pass http://api/;", [], services).services, [
      "web",
      "api",
    ]);
    assert.equal(frontedBy("ssl_certificate /a.pem;", [], services).tls, true);
  });

  it("is behind an nginx that stays where that does more than a gateway, and can be given a file", () => {
    const fronted = {
      services: ["web"],
      published: [],
      tls: false,
      front: { folder: "/edge", network: "app" },
    };
    assert.equal(stays(fronted), false);
    assert.equal(stays({ ...fronted, tls: true }), true);
    assert.equal(stays({ ...fronted, services: ["web", "api"] }), true);
    assert.equal(stays({ ...fronted, tls: true, front: undefined }), false);
    assert.equal(stays({ ...fronted, tls: true, services: [] }), false);
    for (const line of ["include /etc/nginx/conf.d/*.conf;", "include conf.d/*;"])
      assert.equal(includes(line, "/etc/nginx/conf.d"), true, line);
    for (const line of ["# include conf.d/*;", "include conf.d/one.conf;", "include /etc/nginx/more/*.conf;"])
      assert.equal(includes(line, "/etc/nginx/conf.d"), false, line);
  });

  it("gets names that a stack takes", () => {
    assert.deepEqual(["Web.App", "1st", "postgres", "router"].map(partOf), [
      "web-app",
      "st",
      "s-postgres",
      "s-router",
    ]);
  });

  it("holds keys by their beginnings", () => {
    assert.deepEqual(beginningsOf(["session:1", "session:2", "cache:a:b", "plain"]), ["cache:", "session:"]);
  });

  it("keeps the server settings that were chosen and says which cannot be", () => {
    const { settings, left } = serverSettings(
      new Map([
        ["work_mem", "8MB"],
        ["archive_command", "cp"],
        ["config_file", "/etc/x"],
      ]),
    );
    assert.deepEqual([...settings], [["work_mem", "8MB"]]);
    assert.deepEqual(left.length, 1);
  });
});

describe("the migrations of a database", () => {
  const standing = (path: string, version?: string) => ({
    path,
    version,
    layout: "goose" as const,
    newest: "9",
  });
  it("are those whose table knows them, else the only ones, else those in a folder of its name", () => {
    assert.equal(choose("shop", [standing("/a"), standing("/b", "3")])?.path, "/b");
    assert.equal(choose("shop", [standing("/a")])?.path, "/a");
    assert.equal(choose("shop", [standing("/m/shop"), standing("/m/log")])?.path, "/m/shop");
    assert.equal(choose("shop", [standing("/a"), standing("/b")]), undefined);
  });
});

describe("the stack file", () => {
  const comments = new Map([["config rollback:live", "Who serves."]]);
  it("keeps what is not ours, and the secrets", () => {
    const previous =
      "encryptionsalt: v1:x\nconfig:\n  aws:region: eu\n  rollback:live: {old: 100}\n  rollback:secrets:\n    db: {secure: v1:y}\n";
    const text = renderStackFile({ "rollback:live": { "1": 100 } }, comments, previous);
    assert.match(text, /# Who serves\.\n +rollback:live:/);
    assert.deepEqual(parse(text), {
      encryptionsalt: "v1:x",
      config: {
        "aws:region": "eu",
        "rollback:live": { "1": 100 },
        "rollback:secrets": { db: { secure: "v1:y" } },
      },
    });
    assert.deepEqual(secretNames(previous), ["db"]);
  });
  it("has a configuration when it says more than secrets", () => {
    assert.equal(hasConfiguration(""), false);
    assert.equal(hasConfiguration("encryptionsalt: x\nconfig: { rollback:secrets: {} }"), false);
    assert.equal(hasConfiguration("config: { rollback:live: {} }"), true);
  });
});
