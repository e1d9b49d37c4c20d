import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { normalName, readCompose } from "../../../operations/init/compose.ts";
import { interpolate } from "../../../operations/init/interpolate.ts";
import { isRefusal } from "../../../settings/refusal.ts";

describe("interpolation in compose files", () => {
  const variables = new Map([
    ["TAG", "v1"],
    ["EMPTY", ""],
  ]);
  const cases = {
    "app:$TAG": "app:v1",
    "app:${TAG}-slim": "app:v1-slim",
    "${NONE:-latest} ${EMPTY:-e} ${EMPTY-e}": "latest e ",
    "${NONE-a$TAG} ${NONE:-${OTHER:-${TAG}}}": "av1 v1",
    "${TAG:+set}${NONE+set}": "set",
    "$$TAG costs 5$": "$TAG costs 5$",
    "${TAG:?needed}": "v1",
  };
  for (const [text, expected] of Object.entries(cases))
    it(`${text} → ${expected}`, () => assert.equal(interpolate(text, variables), expected));

  it("says what must be set, and what is no form of it", () => {
    assert.throws(() => interpolate("${NONE:?say which}", variables), /NONE must be set: say which/);
    assert.throws(() => interpolate("${EMPTY:?say which}", variables), /EMPTY must be set/);
    assert.throws(() => interpolate("${TAG/a/b}", variables), /no form of interpolation/);
    assert.throws(() => interpolate("${TAG", variables), /not closed/);
  });
});

describe("compose files", () => {
  let folder: string;
  beforeEach(async () => {
    folder = path.join(await mkdtemp(path.join(tmpdir(), "rollback-compose-")), "My App");
    await mkdir(folder);
  });
  afterEach(() => rm(path.dirname(folder), { recursive: true }));
  const read = (files: readonly string[] = []) => readCompose(folder, files, new Map([["TAG", "v2"]]));
  const put = (name: string, text: string) => writeFile(path.join(folder, name), text);

  it("are read with their override, .env, anchors and what they extend", async () => {
    await put(".env", 'TAG=v1\nNAME="web one"\n');
    await put(
      "docker-compose.yml",
      "x-base: &base\n  build: ./app\nservices:\n  web: { <<: *base, image: 'web:${TAG}' }\n  api: { extends: { service: base, file: common.yml }, container_name: api }\n",
    );
    await put("docker-compose.override.yml", "services: { web: { profiles: [prod] } }\n");
    await put(
      "common.yml",
      "services:\n  base: { extends: root, image: base }\n  root: { build: { context: .. } }\n",
    );
    const { name, services } = await read();
    assert.equal(name, "myapp");
    assert.deepEqual(services.get("web"), {
      name: "web",
      image: "web:v2",
      containerName: undefined,
      profiles: ["prod"],
      build: path.join(folder, "app"),
    });
    assert.deepEqual([services.get("api")?.image, services.get("api")?.containerName], ["base", "api"]);
  });

  it("that are not understood are refused with what was seen", async () => {
    const refused = (text: RegExp, files?: readonly string[]) =>
      assert.rejects(read(files), (error) => isRefusal(error, "INIT_COMPOSE") && text.test(error.message));
    await refused(/holds none of compose\.yaml/);
    await put("a.yml", "include: [b.yml]\nservices: {}\n");
    await refused(/includes other files/, ["a.yml"]);
    await put("b.yml", "services: [web]\n");
    await refused(/b\.yml is not understood/, ["b.yml"]);
    await put("c.yml", "services: { a: { extends: b }, b: { extends: a } }\n");
    await refused(/extends itself/, ["c.yml"]);
    await put("d.yml", "services: { web: { image: '${NONE:?say which}' } }\n");
    await refused(/NONE must be set/, ["d.yml"]);
  });

  it("name their project as Compose does", () => {
    assert.equal(normalName("_My App.2"), "myapp2");
  });
});
