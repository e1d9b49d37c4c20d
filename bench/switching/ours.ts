import { seedMealPlanner } from "../../examples/meal-planner/seed.ts";
import type { StackOptions } from "../../examples/meal-planner/stack.ts";
import { docker } from "../../operations/docker/run.ts";
import { withClient } from "../../operations/database/connection.ts";
import { freePorts } from "../../test/support/free-ports.ts";
import { linesOf, stepOf } from "../../test/support/stack-events.ts";
import { createStack, type Config, type ScratchStack } from "../../test/support/stack.ts";
import { z } from "zod";
import type { Report } from "../report.ts";
import { heldMs, type Timed } from "../rollback/steps.ts";
import { astray } from "./astray.ts";
import { feedImage, feedPort } from "./feed.ts";
import { tryUnderAll, type Moments } from "./witness.ts";

/** Names of the cases. */
export const ours = {
  deploySchema: "deploy with schema 023",
  canary1: "canary 99/1",
  canary10: "canary 90/10",
  full: "canary to 100/0",
  code: "rollback, code only, standby running",
  schema: "rollback with schema 023, standby running",
} as const;

/** The stack that is measured, and where its streams are. */
export interface Measured {
  readonly stack: ScratchStack;
  readonly feed: { readonly url: string; readonly change: (config: Config) => Config };
}

interface Scene {
  readonly name: string;
  readonly options: StackOptions;
  readonly release: string;
  readonly share: number;
}

/** Each begins where the one before has ended; the last ends where the first begins, at 1.2.1-rc1 on schema 22. */
const scenes: readonly Scene[] = [
  {
    name: ours.deploySchema,
    options: { live: { "1.2.1": 100 }, standby: ["1.2.1-rc1"], releases: ["1.2.1-rc1", "1.2.1"] },
    release: "1.2.1",
    share: 100,
  },
  ...canary({ "1.2.1": 99, "1.2.3": 1 }, ours.canary1, 1),
  ...canary({ "1.2.1": 90, "1.2.3": 10 }, ours.canary10, 10),
  {
    name: ours.full,
    options: withStandby({ "1.2.3": 100 }, ["1.2.1-rc1", "1.2.1"]),
    release: "1.2.3",
    share: 100,
  },
  {
    name: ours.code,
    options: withStandby({ "1.2.1": 100 }, ["1.2.1-rc1", "1.2.3"]),
    release: "1.2.1",
    share: 100,
  },
  { name: ours.schema, options: { live: { "1.2.1-rc1": 100 } }, release: "1.2.1-rc1", share: 100 },
];

function canary(live: StackOptions["live"], name: string, share: number): Scene[] {
  return [{ name, options: withStandby(live, ["1.2.1-rc1"]), release: "1.2.3", share }];
}

function withStandby(
  live: StackOptions["live"],
  standby: NonNullable<StackOptions["standby"]>,
): StackOptions {
  return { live, standby };
}

/** Deploys a stack with a year of data and a service that streams. */
export async function deployOurs(report: Report): Promise<Measured> {
  const stack = await createStack({ project: "rbt-bench" });
  report.defer(`the stack ${stack.label}`, () => stack.cleanup());
  const [port = 0] = await freePorts(1);
  const measured = {
    stack,
    feed: { url: `http://127.0.0.1:${port}`, change: (config: Config) => withFeed(config, port) },
  };
  report.say(`deploying ${stack.label} …`);
  await configure(measured, { live: { "1.2.1-rc1": 100 } });
  await stack.up();
  await withClient(stack.server, "meal_planner", (client) => seedMealPlanner(client));
  return measured;
}

/** Goes through all forms of a switch, each by `pulumi up` with another configuration. */
export async function measureOurs(report: Report, measured: Measured): Promise<void> {
  const { stack, feed } = measured;
  for (const { name, options, release, share } of scenes) {
    await configure(measured, options);
    await tryUnderAll(report, {
      name,
      url: stack.url,
      feedUrl: feed.url,
      release,
      share,
      query: (sql, values) => stack.query("meal_planner", sql, values),
      async act() {
        const events: Timed[] = [];
        await stack.up({
          onEvent: (event) => events.push({ at: performance.timeOrigin + performance.now(), event }),
        });
        return momentsOf(events, (since) => heldAstray(stack, share === 100 ? release : undefined, since));
      },
    });
  }
}

/** When the traffic effect began, and how long requests were held. Pure. */
export function momentsOf(events: readonly Timed[], count: (since: number) => Promise<number>): Moments {
  const began = events.find(({ event }) => stepOf("traffic")(event))?.at;
  if (began === undefined) throw new Error("there was no traffic effect");
  const ms = heldMs(
    linesOf(
      events.map(({ event }) => event),
      "traffic",
    ),
  );
  if (ms === 0) return { began };
  // No hold of this switch is older: it ends after the traffic effect has begun.
  return { began, held: { ms, astray: () => count(began - ms) } };
}

/** `astray` of the log that the router wrote of a switch; undefined: both releases are right. */
async function heldAstray(stack: ScratchStack, release: string | undefined, since: number): Promise<number> {
  if (release === undefined) return 0;
  const log = await docker(["logs", "--since", new Date(since).toISOString(), stack.names.router]);
  return astray(log, release, since).length;
}

function configure({ stack, feed }: Measured, options: StackOptions): Promise<void> {
  return stack.configure({ gateway: { drain: "3s" }, ...options }, feed.change);
}

const mapping = z.record(z.string(), z.looseObject({}));

/** Adds the service that streams to a configuration of the Meal Planner. */
function withFeed(config: Config, port: number): Config {
  const releases = mapping.parse(config["rollback:releases"]);
  const feed = {
    port: feedPort,
    public: { port },
    health: "/health",
    env: { RELEASE: "${release}", PORT: String(feedPort) },
  };
  return {
    ...config,
    "rollback:releases": Object.fromEntries(
      Object.entries(releases).map(([name, release]) => [
        name,
        { ...release, services: { ...mapping.parse(release["services"]), feed: { image: feedImage } } },
      ]),
    ),
    "rollback:services": { ...mapping.parse(config["rollback:services"]), feed },
  };
}
