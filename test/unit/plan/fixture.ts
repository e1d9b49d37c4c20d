import { stackConfiguration, type StackOptions } from "../../../examples/meal-planner/stack.ts";
import type { ObservedContainer } from "../../../operations/docker/observe.ts";
import { desiredState, type Desired } from "../../../operations/plan/desired.ts";
import type { World } from "../../../operations/plan/world.ts";
import { parseSettings } from "../../../settings/parse.ts";
import type { MigrationOrder } from "../../../settings/schema.ts";
import type { Settings } from "../../../settings/types.ts";

/** Versions 1 to 23 and 1 to 5, as the example has them. */
export const order: MigrationOrder = new Map([
  ["meal_planner", Array.from({ length: 23 }, (_, n) => String(n + 1))],
  ["mealie", ["1", "2", "3", "4", "5"]],
]);

/** Parsed settings of a Meal Planner stack. */
export function settingsOf(options: StackOptions, more: Record<string, unknown> = {}): Settings {
  const values = Object.fromEntries(
    Object.entries({ ...stackConfiguration(options), ...more }).map(([key, value]) => [
      key.replace("rollback:", ""),
      value,
    ]),
  );
  return parseSettings({
    project: "rollback",
    stack: "test",
    values: { ...values, secrets: { db: "d".repeat(64), apiKey: "k".repeat(64) } },
    secretKeys: ["secrets"],
    folder: "/stack",
  });
}

/** A world in which everything that was wished is there, at these schema versions. */
export function worldAfter(
  settings: Settings,
  versions: Readonly<Record<string, string>>,
): { world: World; desired: Desired } {
  const empty = emptyWorld(settings);
  const desired = desiredState(settings, empty, order);
  const containers = desired.containers.map(
    ({ name, service, release, image, address }): ObservedContainer => ({
      id: `id-${name}`,
      name,
      image,
      labels: new Map([
        ["part", "service"],
        ["service", service],
        ["release", release],
      ]),
      running: true,
      restarting: false,
      address,
      startedAt: 0,
      ports: [],
    }),
  );
  const parts = ["postgres", "door", "router", "cache"].map((part): ObservedContainer => ({
    id: part,
    name: part,
    image: part,
    labels: new Map([["part", part]]),
    running: true,
    restarting: false,
    address: undefined,
    startedAt: 0,
    ports: [],
  }));
  const role = (name: string, login: boolean) =>
    [name, { name, login, superuser: false, sessions: 0 }] as const;
  const world: World = {
    ...empty,
    initialised: true,
    containers: [...containers, ...parts],
    server: {
      answers: true,
      observation: {
        version: "17.5",
        major: 17,
        systemIdentifier: "1",
        timeline: 1,
        inRecovery: false,
        unarchived: null,
        maxPreparedTransactions: 20,
        slots: [],
        roles: new Map([
          role("rollback_operator", true),
          ...desired.roles.map(({ role: name, open }) => role(name, open)),
        ]),
        databases: new Map([...settings.databases.keys()].map((name) => [name, `${name}_owner`])),
        settings: new Map(),
        recorded: {},
      },
      settingsToReload: [],
      settingsToRestart: [],
    },
    schema: new Map(
      Object.entries(versions).map(([name, version]) => [
        name,
        { version, order: order.get(name) ?? [], exists: true },
      ]),
    ),
    gateway: { mode: "open", rest: "open", routes: "routes" },
  };
  return { world, desired };
}

/** A world before the first run. */
export function emptyWorld(settings: Settings): World {
  const releases = [...settings.live.map(({ release }) => release), ...settings.standby];
  return {
    initialised: false,
    containers: [],
    subnet: "10.64.0.0/20",
    dataVolumeExists: false,
    images: new Map(
      releases.flatMap((release) =>
        [...settings.services.keys()].map(
          (service) => [`${service}/${release}`, `sha256:${service}${release}`] as const,
        ),
      ),
    ),
    server: { answers: false, why: "not yet" },
    serverRemade: undefined,
    schema: new Map(
      [...order].map(([name, versions]) => [name, { version: undefined, order: versions, exists: false }]),
    ),
    gateway: { mode: "absent", rest: "closed", routes: undefined },
    journal: undefined,
  };
}
