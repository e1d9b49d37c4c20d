import assert from "node:assert/strict";
import { recordedStack } from "../../../bench/plain/recorded.ts";

const urn = (type: string, name: string): string => `urn:pulumi:test::project::${type}::${name}`;
const stack = urn("pulumi:pulumi:Stack", "project-test");
const defaultProvider = urn("pulumi:providers:docker", "default_5_2_0");
const ownProvider = urn("pulumi:providers:postgresql", "postgresql");
const secret = (value: unknown) => ({
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  plaintext: JSON.stringify(value),
});

const text = JSON.stringify({
  version: 3,
  deployment: {
    resources: [
      { urn: stack, type: "pulumi:pulumi:Stack", custom: false, outputs: { initialised: true } },
      { urn: defaultProvider, type: "pulumi:providers:docker", custom: true, inputs: { version: "5.2.0" } },
      {
        urn: ownProvider,
        type: "pulumi:providers:postgresql",
        custom: true,
        parent: stack,
        inputs: { __internal: {}, version: "3.18.1", host: "127.0.0.1", password: secret("x") },
      },
      {
        urn: urn("docker:index/container:Container", "app"),
        type: "docker:index/container:Container",
        custom: true,
        parent: stack,
        dependencies: [ownProvider],
        provider: `${defaultProvider}::1234`,
        inputs: {
          __defaults: ["start"],
          start: true,
          envs: secret(["A=b"]),
          ports: [{ __defaults: ["protocol"], internal: 80, protocol: "tcp" }],
        },
      },
      {
        urn: urn("postgresql:index/role:Role", "app"),
        type: "postgresql:index/role:Role",
        custom: true,
        parent: stack,
        provider: `${ownProvider}::5678`,
        inputs: { name: "app" },
      },
    ],
  },
});

describe("the same resources without hooks and observation", () => {
  const marked = (value: unknown): unknown => ({ secret: value });
  const { resources, outputs } = recordedStack(text, marked);
  const named = (type: string) => resources.find((each) => each.type.includes(type));

  it("are those that a program registers: not the stack, and not the engine's own providers", () => {
    assert.deepEqual(
      resources.map(({ type }) => type),
      ["pulumi:providers:postgresql", "docker:index/container:Container", "postgresql:index/role:Role"],
    );
    assert.deepEqual(outputs, { initialised: true });
  });

  it("have the inputs that the program gave them, secrets as secrets, without the provider's defaults", () => {
    assert.deepEqual(named("Container")?.inputs, {
      envs: { secret: ["A=b"] },
      ports: [{ internal: 80 }],
    });
    assert.deepEqual(named("providers")?.inputs, { host: "127.0.0.1", password: { secret: "x" } });
  });

  it("keep their dependencies and providers", () => {
    const container = named("Container");
    assert.deepEqual(container?.dependencies, [ownProvider]);
    assert.deepEqual([container.provider, container.version], [undefined, "5.2.0"]);
    assert.deepEqual([named("Role")?.provider, named("Role")?.version], [ownProvider, "3.18.1"]);
  });
});
