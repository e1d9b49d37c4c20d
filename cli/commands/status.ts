import Table from "cli-table3";
import type { Command } from "commander";
import { differences } from "../../operations/plan/drift.ts";
import { desiredState } from "../../operations/plan/desired.ts";
import { describeSlots } from "../../operations/recovery/slot/keep.ts";
import { observeWorld } from "../../operations/plan/observe.ts";
import type { World } from "../../operations/plan/world.ts";
import { routerConfig } from "../../operations/traffic/router-config.ts";
import { routesFor } from "../../operations/traffic/plan.ts";
import { aboutStack, readStack, type StackOptions } from "../stack.ts";

/** `rollback status`: what is live, on which schema, and in what that differs from the configuration. Changes nothing. */
export function status(program: Command): void {
  aboutStack(program.command("status"))
    .description("what is live, on which schema, and in what that differs from the configuration")
    .option("--json", "one JSON document on stdout", false)
    .action(async ({ json, ...stack }: StackOptions & { json: boolean }) => {
      const { settings } = await readStack(stack);
      const { world, order } = await observeWorld(settings, true, {
        update: false,
        say: (line) => console.error(line),
      });
      const desired = desiredState(settings, world, order);
      const routes = routerConfig(routesFor(settings, desired.containers)).generation;
      const found = statusOf(world, differences(settings, world, desired, routes));
      console.log(json ? JSON.stringify(found, undefined, 2) : statusText(found));
    });
}

/** What `rollback status --json` prints. */
export interface Status {
  /** Weights of the releases that the last finished run left live. */
  readonly live: Readonly<Record<string, number>>;
  /** When that run finished, ISO 8601; null: none is on record. */
  readonly since: string | null;
  /** A later run was begun and did not finish. */
  readonly unfinished: boolean;
  readonly gateway: string;
  /** Newest applied version by database; null: none. */
  readonly schema: Readonly<Record<string, string | null>>;
  readonly containers: readonly { readonly name: string; readonly state: string }[];
  /** How far every change of each database is on record; empty: `cluster.backup.changes` is not set. */
  readonly changes: readonly string[];
  /** In what the world differs from the configuration; empty: `pulumi up` would find nothing to do. */
  readonly differences: readonly string[];
}

/** The status as plain data. */
export function statusOf(world: World, drift: readonly string[]): Status {
  const { journal } = world;
  return {
    live: Object.fromEntries(journal?.weights ?? []),
    since: journal?.finishedAt ?? null,
    unfinished: journal?.overtaken ?? false,
    gateway: world.gateway.mode,
    schema: Object.fromEntries([...world.schema].map(([name, { version }]) => [name, version ?? null])),
    containers: world.containers.map(({ name, running }) => ({
      name,
      state: running ? "running" : "stopped",
    })),
    changes: world.server.answers ? describeSlots(world.server.observation.slots) : [],
    differences: drift,
  };
}

function statusText({
  live,
  since,
  unfinished,
  gateway,
  schema,
  containers,
  changes,
  differences: drift,
}: Status): string {
  const table = new Table({ style: { head: [], border: [] } });
  const weights = Object.entries(live).map(([release, weight]) => `${release} at ${weight} %`);
  table.push(
    { live: weights.join(", ") || "nothing yet" },
    { since: `${since ?? "-"}${unfinished ? "; a later run did not finish" : ""}` },
    { gateway },
    {
      schema: Object.entries(schema)
        .map(([name, version]) => `${name} ${version ?? "-"}`)
        .join("\n"),
    },
    { containers: containers.map(({ name, state }) => `${name} ${state}`).join("\n") },
    ...(changes.length === 0 ? [] : [{ "later writes": changes.join("\n") }]),
    { "`pulumi up` would": drift.join("\n") || "find nothing to do" },
  );
  return table.toString();
}
