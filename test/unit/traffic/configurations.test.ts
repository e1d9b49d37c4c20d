import assert from "node:assert/strict";
import { doorConfig } from "../../../operations/traffic/door.ts";
import type { GatewayPlan } from "../../../operations/traffic/plan.ts";
import { routerConfig } from "../../../operations/traffic/router-config.ts";

const plan: GatewayPlan = {
  services: [
    {
      name: "meals",
      public: { port: 8000, address: "127.0.0.1" },
      containerPort: 8080,
      servers: [
        { address: "10.0.0.5", port: 8080, weight: 9, release: "1.2.0" },
        { address: "fd00::7", port: 8080, weight: 1, release: "1.2.1" },
      ],
    },
    { name: "mealie", containerPort: 9000, servers: [] },
  ],
  hold: 30_000,
  held: 10_000,
  drain: 10_500,
};

describe("doorConfig", () => {
  it("does not change with releases, containers, weights or bounds, so that the door is never made anew for them", () => {
    const services = plan.services.map((service) => ({ ...service, servers: [] }));
    assert.equal(doorConfig(plan), doorConfig({ services }));
    assert.doesNotMatch(doorConfig(plan), /10\.0\.0\.5|1\.2\.0|mealie/);
  });

  it("listens once for each public service", () => {
    assert.deepEqual(doorConfig(plan).match(/listen \d+/g), ["listen 8000"]);
  });
});

describe("routerConfig", () => {
  const { text, generation } = routerConfig(plan);

  it("names itself by a hash of what it says, in the text and to whoever asks", () => {
    assert.ok(text.startsWith(`# generation ${generation}\n`));
    assert.ok(text.includes(`location = /generation { return 200 "${generation}"; }`));
    assert.deepEqual(routerConfig({ ...plan, services: plan.services.toReversed() }), { text, generation });
    assert.notEqual(routerConfig({ ...plan, drain: 20_000 }).generation, generation);
  });

  it("weighs the servers of a service in one upstream", () => {
    const upstream = /upstream to_meals \{[^}]*\}/.exec(text)?.[0];
    assert.match(upstream ?? "", /server 10\.0\.0\.5:8080 weight=9 max_fails=0;/);
    assert.match(upstream ?? "", /server \[fd00::7\]:8080 weight=1 max_fails=0;/);
    assert.match(upstream ?? "", /zone to_meals/);
  });

  it("shares clients out by their key when asked to keep them with one release, the newest release's share first", () => {
    const byCookie = routerConfig({ ...plan, sticky: { by: "cookie", name: "canary-id" } }).text;
    assert.match(
      byCookie,
      /split_clients \$sticky_key \$to_meals \{\s*10\.00% to_meals\.0;\s*\* to_meals\.1;/,
    );
    assert.match(
      byCookie,
      /upstream to_meals\.0 \{[^}]*fd00::7\]:8080 weight=1 max_fails=0;[^}]*10\.0\.0\.5:8080 [^;]* backup;/,
    );
    assert.match(byCookie, /add_header Set-Cookie \$sticky_cookie always;/);
    const byHeader = routerConfig({ ...plan, sticky: { by: "header", name: "X-User-Id" } }).text;
    assert.match(byHeader, /map \$http_x_user_id \$sticky_key/);
    assert.doesNotMatch(byHeader, /Set-Cookie/);
  });

  it("tells the release of every attempt", () => {
    const releaseOf = (attempt: number, upstream: string) => {
      const map =
        new RegExp(`map \\$upstream_addr \\$release_${attempt} \\{([^]*?)\\n  \\}`).exec(text)?.[1] ?? "";
      return [...map.matchAll(/"~(.*)" "(.*)";/g)].find(([, pattern]) =>
        new RegExp(pattern ?? "").test(upstream),
      )?.[2];
    };
    const both = "[fd00::7]:8080, 10.0.0.5:8080";
    assert.deepEqual(
      [1, 2, 3].map((attempt) => releaseOf(attempt, both)),
      ["1.2.1", "1.2.0", undefined],
    );
  });

  it("needs no key where a single release is live", () => {
    const [meals] = plan.services;
    assert.ok(meals !== undefined);
    const single = { ...plan, services: [{ ...meals, servers: meals.servers.slice(0, 1) }] };
    assert.equal(
      routerConfig({ ...single, sticky: { by: "cookie", name: "c" } }).text.replaceAll(/generation \S+/g, ""),
      routerConfig(single).text.replaceAll(/generation \S+/g, ""),
    );
  });

  it("tells the release of the last attempt", () => {
    const patterns = [...text.matchAll(/"~(\(\^.*\$)" "(.*)";/g)].map(([, pattern, release]) => ({
      pattern: new RegExp(pattern ?? ""),
      release,
    }));
    const releaseOf = (upstream: string) => patterns.find(({ pattern }) => pattern.test(upstream))?.release;
    assert.equal(releaseOf("10.0.0.5:8080"), "1.2.0");
    assert.equal(releaseOf("10.0.0.5:8080, [fd00::7]:8080"), "1.2.1");
    assert.equal(releaseOf("110.0.0.5:8080"), undefined);
  });

  it("answers 503 for a service that has no container", () => {
    assert.doesNotMatch(text, /to_mealie/);
    assert.match(
      text,
      /server_name mealie;\s*set \$service mealie;\s*set \$stream "";\s*location \/ \{ add_header Retry-After 5 always; return 503; \}/,
    );
  });

  it("guesses nothing where services share a port", () => {
    const shared = routerConfig({
      ...plan,
      services: plan.services.map((service) => ({ ...service, containerPort: 80 })),
    }).text;
    assert.match(shared, /listen 80 default_server;[^}]*return 421/);
    assert.doesNotMatch(text, /421/);
  });

  it("rounds the drain up to whole seconds", () => {
    assert.match(text, /worker_shutdown_timeout 11s;/);
  });
});
