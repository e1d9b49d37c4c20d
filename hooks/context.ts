import { observeWorld } from "../operations/plan/observe.ts";
import { desiredState, type Desired } from "../operations/plan/desired.ts";
import { differences } from "../operations/plan/drift.ts";
import { effectInputs, type Plain } from "../operations/plan/inputs.ts";
import { planChange, type Change } from "../operations/plan/change.ts";
import { checkCatalogue, checkPortsToCome } from "../operations/preflight/checks.ts";
import { checkFront, portsOf } from "../operations/preflight/front.ts";
import { formerFront, frontOf } from "../operations/plan/front.ts";
import { clusterHash } from "../operations/plan/cluster.ts";
import { decideRevision } from "../operations/plan/revision.ts";
import { asksForLive } from "../operations/plan/live.ts";
import type { ObserveOptions, World } from "../operations/plan/world.ts";
import type { ConnectionOptions } from "../operations/database/connection.ts";
import { sessionName } from "../operations/journal/run-token.ts";
import type { Instance } from "../operations/recovery/instance.ts";
import type { TableFacts } from "../operations/database/tables.ts";
import type { LiveVerdict } from "../operations/migrations/live/judge.ts";
import { routerConfig } from "../operations/traffic/router-config.ts";
import type { Front } from "../operations/traffic/front-config.ts";
import { routesFor, type GatewayPlan } from "../operations/traffic/plan.ts";
import type { Lease } from "../operations/traffic/lease.ts";
import { stackNames, type StackNames } from "../settings/stack-names.ts";
import type { MigrationOrder } from "../settings/schema.ts";
import type { Settings } from "../settings/types.ts";
import { checkEngine } from "./engine.ts";
import { judgeRun } from "./live.ts";
import type { EffectName } from "./names.ts";

/** What one run of the program knows; made once, before the first resource. Only the lower half changes while it runs. */
export interface RunContext {
  readonly settings: Settings;
  readonly names: StackNames;
  readonly order: MigrationOrder;
  readonly world: World;
  readonly desired: Desired;
  readonly change: Change;
  /** Whether the reversals of this run can meet requests; undefined: that is not asked for. */
  readonly verdict: LiveVerdict | undefined;
  readonly gateway: GatewayPlan;
  /** The existing nginx that clients talk to; undefined: they talk to the door. */
  readonly front: Front | undefined;
  /** Input of each effect. */
  readonly inputs: Readonly<Record<string, Plain>>;
  readonly revision: string;
  /** How this run's sessions call themselves, by which a later run ends them. */
  readonly session: ConnectionOptions;
  /** True: nothing has to be done, and no effect runs. */
  readonly steady: boolean;
  readonly because: readonly string[];
  /** Effects that have run in this process. */
  readonly done: Set<EffectName>;
  /** Milliseconds per effect that ran. */
  readonly timings: Map<EffectName, number>;
  readonly notes: RunNotes;
  /** Throws when the engine that started this program is gone: a program that outlived it must not act. */
  readonly alive: () => void;
  readonly finished: (effect: EffectName, ms: number) => void;
}

/** An instant of this process; `tick` is of a clock that is never set, by which durations are told. Milliseconds. */
export interface Instant {
  readonly at: Date;
  readonly tick: number;
}

export function instant(): Instant {
  return { at: new Date(), tick: performance.now() };
}

/** What one effect leaves for a later one of the same run. */
export interface RunNotes {
  lease?: Lease;
  /** Roles this run has closed. */
  closed: readonly string[];
  /** Whether the schema of this run is in force. */
  schemaChanged: boolean;
  /** Whether this run has claimed the router. */
  routerClaimed: boolean;
  /** Whether the router has this run's routes. */
  switched: boolean;
  dump?: string;
  /** Whether this run goes on although the archive of the WAL does not take anything. */
  archiveFails: boolean;
  /** The server that this run has recovered beside the one that serves, paused at the target. */
  instance?: Instance;
  /** A new database that this run has made and not put in use. */
  prepared?: string;
  readonly restorePoints: string[];
  /** Databases in which this run has claimed the stack. */
  readonly claimed: Set<string>;
  /** Key tables before the change, by database. */
  readonly tablesBefore: Map<string, ReadonlyMap<string, TableFacts>>;
  /** Flags files by name: whether this run changed them, and when they last changed (epoch milliseconds). */
  flags: ReadonlyMap<string, { readonly changed: boolean; readonly at: number }>;
  /** When the hold began, and how many milliseconds it was. */
  heldSince?: Instant;
  heldFor?: number;
  readonly startedAt: Instant;
}

/** Observes the world, works out what shall be, and decides whether anything has to be done. */
export async function prepareRun(
  settings: Settings,
  initialised: boolean,
  options: ObserveOptions,
): Promise<RunContext> {
  const { world, order } = await observeWorld(settings, initialised, options);
  checkCatalogue(settings, world.journal?.releases ?? new Map<string, never>(), order);
  const front = frontOf(settings, world.subnet);
  await checkFront(front);
  await checkPortsToCome(settings, world, await portsOf(formerFront(world, front)));
  const context = contextOf(settings, world, order);
  if (!asksForLive(settings, context.change)) return context;
  return contextOf(settings, world, order, await judgeRun(context));
}

/** What follows from an observation; changes nothing and asks nobody. `verdict`: whether reversals can meet requests. */
export function contextOf(
  settings: Settings,
  world: World,
  order: MigrationOrder,
  verdict?: LiveVerdict,
): RunContext {
  const desired = desiredState(settings, world, order);
  const gateway = routesFor(settings, desired.containers);
  const inputs = effectInputs(settings, desired);
  const drift = differences(settings, world, desired, routerConfig(gateway).generation);
  const { revision, steady, because } = decideRevision(JSON.stringify(inputs), world.journal, drift);
  const server = world.containers.find(({ labels }) => labels.get("part") === "postgres");
  const replaced = server !== undefined && server.labels.get("inputs") !== clusterHash(settings);
  const context: RunContext = {
    settings,
    names: stackNames(settings),
    order,
    world,
    desired,
    verdict,
    change: planChange(settings, world, desired, replaced, verdict),
    gateway,
    front: frontOf(settings, world.subnet),
    inputs,
    revision,
    session: { applicationName: sessionName(revision) },
    steady,
    because,
    done: new Set(),
    timings: new Map(),
    notes: {
      closed: [],
      schemaChanged: false,
      routerClaimed: false,
      switched: false,
      archiveFails: false,
      restorePoints: [],
      claimed: new Set(),
      tablesBefore: new Map(),
      flags: new Map(),
      startedAt: instant(),
    },
    alive: checkEngine,
    finished: (effect, ms) => {
      context.done.add(effect);
      context.timings.set(effect, ms);
    },
  };
  return context;
}
