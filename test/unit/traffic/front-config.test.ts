import assert from "node:assert/strict";
import { formerFront } from "../../../operations/plan/front.ts";
import { doorPorts } from "../../../operations/traffic/plan.ts";
import { frontConfig, readFront, type FrontArgs } from "../../../operations/traffic/front-config.ts";

const args: FrontArgs = {
  existing: {
    folder: "/etc/nginx/conf.d",
    reload: ["nginx", "-s", "reload"],
    test: ["nginx", "-t"],
    container: undefined,
  },
  label: "meals/prod",
  prefix: "meals-prod",
  door: { name: "meals-prod-door", address: "10.64.0.2" },
  plan: {
    services: [
      { name: "meals", public: { port: 8000, address: "127.0.0.1" }, containerPort: 8080, servers: [] },
      { name: "admin", public: { port: 8001, address: "::1" }, containerPort: 8080, servers: [] },
      { name: "inner", containerPort: 9000, servers: [] },
    ],
  },
};
const container = { name: "edge", network: "web" };

describe("frontConfig", () => {
  it("listens for each public service and passes on to the door's address", () => {
    const { text } = frontConfig(args);
    assert.deepEqual(text.match(/listen .*/g), ["listen [::1]:8001;", "listen 127.0.0.1:8000;"]);
    const inner = doorPorts({ ...args.plan, behind: true });
    assert.deepEqual(text.match(/proxy_pass .*/g), [
      `proxy_pass http://10.64.0.2:${inner.get("admin")};`,
      `proxy_pass http://10.64.0.2:${inner.get("meals")};`,
    ]);
    assert.deepEqual(readFront(text).listeners, [
      { address: "::1", port: 8001 },
      { address: "127.0.0.1", port: 8000 },
    ]);
  });

  it("asks Docker for the door's name where nginx is in a container, and listens for all who reach that", () => {
    const { text } = frontConfig({ ...args, existing: { ...args.existing, container } });
    assert.deepEqual(text.match(/listen .*/g), ["listen 8001;", "listen 8000;"]);
    assert.match(text, /resolver 127\.0\.0\.11 .*;\n.*set \$\w+ http:\/\/meals-prod-door:\d+;/);
    assert.deepEqual(
      readFront(text).listeners.map(({ port }) => port),
      [8001, 8000],
    );
  });

  it("mentions neither releases nor containers of theirs, so that a switch never reloads that nginx", () => {
    const services = args.plan.services.map((service) => ({
      ...service,
      servers: [{ address: "10.0.0.5", port: 8080, weight: 1, release: "1.2.0" }],
    }));
    assert.equal(frontConfig({ ...args, plan: { services } }).text, frontConfig(args).text);
  });

  it("answers a hash of its text, which stands in it, and has names that no other stack's file has", () => {
    const { text, generation, mark } = frontConfig(args);
    assert.ok(text.startsWith(`${mark}\n`));
    assert.equal(readFront(text).generation, generation);
    const other = frontConfig({ ...args, prefix: "meals-test" });
    assert.notEqual(other.generation, generation);
    const names = text.match(/\$rollback_\w+/g) ?? [];
    assert.deepEqual(
      names.filter((name) => other.text.includes(name)),
      [],
    );
  });
});

describe("the door's ports behind an nginx of the user's", () => {
  it("follow from a service's name, whatever it is published as and whoever else is", () => {
    const [meals] = args.plan.services;
    assert.ok(meals !== undefined);
    const alone = doorPorts({
      services: [{ ...meals, public: { port: 80, address: "0.0.0.0" } }],
      behind: true,
    });
    assert.equal(alone.get("meals"), doorPorts({ ...args.plan, behind: true }).get("meals"));
  });
});

describe("formerFront", () => {
  const front = frontConfig(args);
  const { file, mark, reload, door } = front;
  const world = {
    gateway: {
      mode: "open",
      rest: "open",
      routes: undefined,
      formerFront: { file, mark, reload, door },
    },
  } as const;

  it("is the one that the door stands behind and the configuration does not name any more", () => {
    assert.equal(formerFront(world, undefined)?.file, "/etc/nginx/conf.d/rollback-meals-prod.conf");
    assert.equal(formerFront(world, { file: "/elsewhere/rollback-meals-prod.conf" })?.file, file);
    assert.equal(formerFront(world, front), undefined);
    assert.equal(
      formerFront({ gateway: { ...world.gateway, formerFront: undefined } }, undefined),
      undefined,
    );
  });
});
