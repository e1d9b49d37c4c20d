import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { catalogue, releaseNames } from "../../../examples/meal-planner/catalogue.ts";
import { images } from "../../../examples/meal-planner/images.ts";
import {
  secretNames,
  stackConfiguration,
  type StackConfiguration,
} from "../../../examples/meal-planner/stack.ts";
import { parseSettings } from "../../../settings/parse.ts";

const root = join(import.meta.dirname, "../../..");
const stackFile = (stack: string): unknown => parse(readFileSync(join(root, `Pulumi.${stack}.yaml`), "utf8"));

/** As the program reads it, with secrets set. */
function settingsOf(config: StackConfiguration) {
  const values = Object.entries(config).map(([key, value]) => [key.replace("rollback:", ""), value] as const);
  const secrets = Object.fromEntries(secretNames.map((name) => [name, "a secret of the tests, long enough"]));
  return parseSettings({
    project: "rollback",
    stack: "test",
    folder: root,
    secretKeys: ["secrets"],
    values: { ...Object.fromEntries(values), secrets },
  });
}

describe("stackConfiguration", () => {
  it("is a valid configuration for every release, with all it can be asked for and with nothing", () => {
    for (const name of releaseNames) {
      const plain = settingsOf(stackConfiguration({ live: { [name]: 100 } }));
      assert.deepEqual(plain.live, [{ release: name, weight: 100 }]);
      const full = settingsOf(
        stackConfiguration({
          live: { [name]: 100 },
          releases: releaseNames,
          ports: { planner: 18000, mealie: 19000, postgres: 15432 },
          volumes: { data: "data-1", dumps: "dumps-1" },
          settings: { work_mem: "8MB" },
          replicas: 2,
          gateway: { hold: "5s" },
          safety: { bake: "0s", errorRate: 5 },
        }),
      );
      assert.equal(full.services.get("meal-planner")?.replicas, 2);
      assert.deepEqual([...full.services.keys()], ["mealie", "meal-planner"]);
      assert.ok(existsSync(full.databases.get("meal_planner")?.migrations ?? ""));
    }
  });

  it("is what Pulumi.prod.yaml says", () => {
    const config = stackConfiguration({
      live: { "1.2.0": 100 },
      releases: ["1.2.0", "1.2.1-rc1", "1.2.1"],
      ports: { planner: 8000, mealie: 9000, postgres: 5432 },
      volumes: { data: "meal-planner-prod-pgdata-1", dumps: "meal-planner-prod-dumps" },
      settings: { work_mem: "16MB", shared_buffers: "256MB" },
      gateway: { hold: "30s", drain: "10s" },
      safety: { lockTimeout: "100ms", errorRate: 5, responseTime: "5s", bake: "60s" },
    });
    assert.deepEqual(stackFile("prod"), { config });
  });

  it("is what Pulumi.staging.yaml says", () => {
    const config = stackConfiguration({
      live: { "1.2.1": 100 },
      standby: ["1.2.1-rc1"],
      releases: ["1.2.1-rc1", "1.2.1", "1.2.2", "1.2.3", "1.3.0"],
      ports: { planner: 8100, postgres: 5433 },
      volumes: { data: "meal-planner-staging-pgdata-1", dumps: "meal-planner-staging-dumps" },
      safety: { bake: "5s" },
    });
    assert.deepEqual(stackFile("staging"), { config });
  });

  it("keeps only the releases that are used in the catalogue, in the order they came out", () => {
    const config = stackConfiguration({ live: { "1.2.1": 100 }, standby: ["1.2.0"] });
    assert.deepEqual(Object.keys(config["rollback:releases"]), ["1.2.0", "1.2.1"]);
  });

  it("turns the Mealie flag of one release and pins images", () => {
    const pinned = `sha256:${"0".repeat(64)}`;
    const config = stackConfiguration({
      live: { "1.2.1": 100 },
      standby: ["1.2.0"],
      mealieFlag: { "1.2.1": false },
      digests: { "mealie:v1.0.3": pinned },
    });
    const release = config["rollback:releases"]["1.2.1"];
    assert.deepEqual(release?.services["meal-planner"].flags, { FEATURE_MEALIE_ENABLED: "false" });
    assert.deepEqual(release.services.mealie, { image: "mealie:v1.0.3", digest: pinned });
    assert.deepEqual(catalogue["1.2.1"].services.mealie, { image: "mealie:v1.0.3" });
  });

  it("leaves Redis out when it is not wanted", () => {
    const config = stackConfiguration({ live: { "1.2.0": 100 }, redis: false });
    assert.doesNotMatch(JSON.stringify(config), /redis/i);
  });
});

describe("the example's images", () => {
  it("cover every image of the catalogue, and none is built for nothing", () => {
    const used = Object.values(catalogue).flatMap(({ services }) =>
      Object.values(services).map((s) => s.image),
    );
    assert.deepEqual(images.map((image) => image.tag).sort(), [...new Set(used)].sort());
  });

  it("each have the file in which their release differs", () => {
    for (const { folder, buildArgs } of images) {
      const { SERVICE, RELEASE } = buildArgs;
      assert.ok(existsSync(join(folder, `${SERVICE}/releases/${RELEASE}.mjs`)), `${SERVICE} ${RELEASE}`);
    }
  });

  it("name the release of the catalogue that they are for", () => {
    for (const name of releaseNames) {
      assert.equal(catalogue[name].services["meal-planner"].image, `meal-planner:v${name}`);
    }
  });
});
