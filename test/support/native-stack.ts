import { z } from "zod";
import type { ReleaseName } from "../../examples/meal-planner/catalogue.ts";
import type { StackOptions } from "../../examples/meal-planner/stack.ts";
import { createStack, type Config, type ScratchStack } from "./stack.ts";
import { startSystemd, type SystemdMachine } from "./systemd.ts";

/** A stack of the Meal Planner whose planner is a systemd unit on another machine. */
export interface NativeStack {
  readonly stack: ScratchStack;
  readonly machine: SystemdMachine;
  /** A property of a release's unit, as systemd has it. */
  readonly show: (release: string, property: string) => Promise<string>;
  /** Release whose folder `current` leads to. */
  readonly current: () => Promise<string>;
  /** Writes the stack's file; `flag` is the Mealie flag of 1.2.0. */
  readonly configure: (
    live: ReleaseName | StackOptions["live"],
    releases: readonly ReleaseName[],
    flag?: string,
  ) => Promise<void>;
  remove(): Promise<void>;
}

/** Where the releases lie on that machine. */
export const plannerFolder = "/opt/meal-planner";

const entries = z.record(z.string(), z.looseObject({}));

/** Starts the machine and makes the stack, which is not up yet; a text says why systemd does not boot here. */
export async function startNativeStack(): Promise<NativeStack | string> {
  const machine = await startSystemd();
  if (typeof machine === "string") return machine;
  let stack: ScratchStack;
  try {
    stack = await createStack();
  } catch (error) {
    await machine.remove();
    throw error;
  }
  return {
    stack,
    machine,
    show: (release, property) =>
      machine.run("systemctl", "show", "--value", "-p", property, `meal-planner-api@${release}.service`),
    current: async () =>
      (await machine.run("readlink", `${plannerFolder}/current`)).replace(`${plannerFolder}/releases/`, ""),
    configure: (live, releases, flag = "false") =>
      stack.configure({ live: typeof live === "string" ? { [live]: 100 } : live, releases }, (config) =>
        withUnits(config, stack, machine, flag),
      ),
    async remove() {
      await stack.cleanup();
      await machine.remove();
    },
  };
}

function withUnits(config: Config, stack: ScratchStack, machine: SystemdMachine, flag: string): Config {
  const services = entries.parse(config["rollback:services"]);
  const planner = services["meal-planner"] ?? {};
  const env = Object.entries(z.record(z.string(), z.unknown()).parse(planner["env"])).filter(
    ([name]) => name !== "REDIS_URL",
  );
  // Names of the stack mean nothing there; the machine of the test shares this one's loopback.
  const mealie = { MEALIE_URL: `http://127.0.0.1:${stack.ports.mealie}` };
  const native = { unit: "meal-planner-api@.service", directory: plannerFolder, host: machine.host };
  const release = (name: string, entry: Record<string, unknown>): Record<string, unknown> => ({
    ...entry,
    services: {
      ...entries.parse(entry["services"]),
      "meal-planner": {
        port: machine.ports[name === "1.2.0" ? 0 : name === "1.2.3" ? 2 : 1],
        flags: { FEATURE_MEALIE_ENABLED: name === "1.2.0" ? flag : "true" },
      },
    },
  });
  return {
    ...config,
    "rollback:cluster": { ...z.looseObject({}).parse(config["rollback:cluster"]), address: "0.0.0.0" },
    "rollback:services": {
      ...services,
      "meal-planner": { ...planner, env: { ...Object.fromEntries(env), ...mealie }, native },
    },
    "rollback:releases": Object.fromEntries(
      Object.entries(entries.parse(config["rollback:releases"])).map(([name, entry]) => [
        name,
        release(name, entry),
      ]),
    ),
  };
}
