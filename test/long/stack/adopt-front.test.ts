import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { beginAdoption, type Adoption } from "../../support/adoption.ts";
import { routedSite } from "../../support/compose-project.ts";
import { changedResources } from "../../support/stack-events.ts";

const file = z.looseObject({ config: z.record(z.string(), z.record(z.string(), z.unknown())) });

describe("from a compose project whose nginx routes by path to a stack behind it", function () {
  this.timeout(300_000);
  let adoption: Adoption;

  before(async () => {
    adoption = await beginAdoption({ routes: true });
  });
  after(() => adoption.remove());

  it("names the nginx as the one in front, which is not stopped, and says what to edit", async () => {
    const { compose, stack } = adoption;
    const { exitCode, all } = await adoption.init("--write", "--port", "api=8090");
    assert.equal(exitCode, 0, all);
    assert.match(
      all,
      /-nginx-1 stays in front[^]*http:\/\/127\.0\.0\.1:8080 for web, http:\/\/127\.0\.0\.1:8090 for api/,
    );
    const { config } = file.parse(parse(await readFile(stack.file, "utf8")));
    assert.deepEqual(config["rollback:gateway"], {
      existing: {
        folder: path.join(compose.folder, "conf.d"),
        reload: ["docker", "exec", compose.containers.nginx, "nginx", "-s", "reload"],
        container: { name: compose.containers.nginx, network: `${compose.name}_default` },
      },
    });
    const taken = z.array(z.string()).parse(config["rollback:takeover"]?.["containers"]);
    assert.ok(!taken.includes(compose.containers.nginx));
    await adoption.adjust();
  });

  it("is refused while that nginx names what would be stopped, with everything still serving", async () => {
    const { output } = await adoption.stack.up({ expectFailure: true });
    assert.match(output, /refused TAKEOVER_FRONT: .* passes requests on to web, api, which this run stops/);
    assert.equal((await adoption.running()).length, 5);
    assert.deepEqual(await adoption.ask("/api/logs"), { status: 200, release: "1.2.0" });
  });

  it("takes over behind it once its files are edited, and needs nothing more", async () => {
    const { compose, stack } = adoption;
    const site = path.join(compose.folder, "conf.d/site.conf");
    await writeFile(site, routedSite("127.0.0.1:8080", "127.0.0.1:8090"));
    await stack.up();
    assert.deepEqual(await adoption.running(), [compose.containers.nginx]);
    for (const way of ["/api/logs", "/other/api/logs"])
      assert.deepEqual(await adoption.ask(way), { status: 200, release: "1.2.0" }, way);
    assert.equal(await adoption.psql("SELECT count(*) FROM users"), "500");
    assert.deepEqual(changedResources((await stack.up({ args: ["--expect-no-changes"] })).events), {});
  });
});
