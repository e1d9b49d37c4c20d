import { listDumps } from "../backup/list.ts";
import { ownPlace, withHelper } from "../backup/place.ts";
import type { DumpPlace } from "../backup/place.ts";
import { withClient } from "../database/connection.ts";
import { docker } from "../docker/run.ts";
import { pastRuns, releaseBefore, heaviestOf, type PastRun } from "../journal/history.ts";
import { observer } from "../migrations/observer.ts";
import { destroyed, planSchemaChange } from "../migrations/schema-plan.ts";
import { access, applicationName } from "../plan/access.ts";
import { runningReleases } from "../plan/change.ts";
import { observeWorld } from "../plan/observe.ts";
import { connectorTo } from "../plan/schema.ts";
import type { World } from "../plan/world.ts";
import { attemptsOf, type Attempt } from "../verification/bake.ts";
import { stackLabel } from "../../settings/names.ts";
import { isRefusal } from "../../settings/refusal.ts";
import { stackLabels, stackNames } from "../../settings/stack-names.ts";
import type { Settings } from "../../settings/types.ts";
import { signsOfDamage, writtenSince, type Sign, type Written } from "./signs.ts";

/** What was measured before anything is recommended. Nothing in it is a secret. */
export interface Facts {
  /** The heaviest live release. */
  readonly live: string;
  /** When the last finished run ended, ISO 8601; undefined: none is on record. */
  readonly since: string | undefined;
  /** What was live before it; undefined: nothing is on record. */
  readonly previous: string | undefined;
  /** A later run was begun and did not finish. */
  readonly unfinished: boolean;
  /** Attempts of the router in the window, by release. */
  readonly attempts: readonly Attempt[];
  /** Minutes that `attempts` covers. */
  readonly window: number;
  readonly damage: readonly Sign[];
  /** Rows of key tables written since the live release came; undefined: not to be told. */
  readonly written: readonly Written[] | undefined;
  readonly back: WayBackFacts | undefined;
  /** The newest whole dump. */
  readonly dump: { readonly name: string; readonly at: string; readonly bytes: number } | undefined;
  /** Seconds that each earlier rollback of this stack took, newest first. */
  readonly tookBefore: readonly number[];
}

/** What going back to the release before means. */
export interface WayBackFacts {
  readonly release: string;
  /** Services whose image differs. */
  readonly code: readonly string[];
  /** Flags that differ: `service FLAG: now → then`. */
  readonly flags: readonly string[];
  /** Steps by database, e.g. `meal_planner 23 → 20: 3 migrations`; empty: the schema stays. */
  readonly schema: readonly string[];
  /** Tables whose data the reversal drops or overwrites; it is archived. */
  readonly archived: readonly string[];
  /** Why it would be refused, as its Refusal says; undefined: it would not. */
  readonly refused: string | undefined;
  /** Whether containers of that release run already. */
  readonly running: boolean;
}

/** Measures everything that the decision asks for. Changes nothing. `window`: minutes of the router's log. */
export async function measure(
  settings: Settings,
  window: number,
  say: (line: string) => void,
): Promise<Facts> {
  const { world } = await observeWorld(settings, true, { update: false, say });
  const answers = world.server.answers;
  const runs = answers ? await history(settings) : [];
  const live = heaviestOf({ live: world.journal?.weights ?? new Map() }) ?? settings.live[0]?.release ?? "";
  const previous = releaseBefore(runs) ?? catalogueBefore(settings, live);
  const since = runs.at(0)?.finishedAt;
  const [attempts, looked, dumps, back] = await Promise.all([
    routerAttempts(settings, world, window),
    answers ? lookAtData(settings, arrival(runs, live)) : { damage: [], written: undefined },
    dumpsOf(settings, world),
    answers && previous !== undefined ? measureWayBack(settings, world, live, previous) : undefined,
  ]);
  const newest = dumps.find(({ whole }) => whole);
  return {
    live,
    since,
    previous,
    unfinished: world.journal?.overtaken ?? false,
    attempts,
    window,
    ...looked,
    back,
    dump:
      newest === undefined
        ? undefined
        : {
            name: newest.name,
            at: newest.manifest.finishedAt,
            bytes: newest.manifest.databases.reduce((sum, { tableBytes }) => sum + tableBytes, 0),
          },
    tookBefore: runs.flatMap(({ kind, seconds }) => (kind === "rollback" ? [seconds] : [])),
  };
}

async function history(settings: Settings): Promise<PastRun[]> {
  const [first] = settings.databases.keys();
  if (first === undefined) return [];
  return withClient(access(settings), first, (client) => pastRuns(client, stackLabel(settings)), {
    applicationName: applicationName(settings),
  });
}

/** When the live release got its traffic: the start of the oldest run in the newest row of runs that left it live. */
function arrival(runs: readonly PastRun[], live: string): string | undefined {
  const other = runs.findIndex((run) => heaviestOf(run) !== live);
  return runs.slice(0, other < 0 ? runs.length : other).at(-1)?.startedAt;
}

/** Without a history: the entry of the catalogue before the live one. */
function catalogueBefore({ releases }: Settings, live: string): string | undefined {
  const names = [...releases.keys()];
  return names[names.indexOf(live) - 1];
}

async function routerAttempts(settings: Settings, world: World, window: number): Promise<Attempt[]> {
  const { router } = stackNames(settings);
  if (!world.containers.some(({ name }) => name === router)) return [];
  return attemptsOf(await docker(["logs", "--since", `${window}m`, router], { timeoutMs: 60_000 }));
}

async function lookAtData(
  settings: Settings,
  since: string | undefined,
): Promise<Pick<Facts, "damage" | "written">> {
  const found = await Promise.all(
    [...settings.databases.values()].map(({ name, keyTables }) =>
      withClient(access(settings), name, async (client) => {
        const tables = keyTables.map(({ table }) => table);
        const damage = await signsOfDamage(client, name, tables);
        return {
          damage,
          written: since === undefined ? undefined : await writtenSince(client, name, tables, since),
        };
      }),
    ),
  );
  const written = found.flatMap((each) => (each.written === undefined ? [] : [each.written]));
  return {
    damage: found.flatMap(({ damage }) => damage),
    written: written.length < found.length ? undefined : written.flat(),
  };
}

async function dumpsOf(settings: Settings, world: World): ReturnType<typeof listDumps> {
  const names = stackNames(settings);
  const { cluster } = settings;
  const { repository } = cluster.backup;
  const list = (place: DumpPlace): ReturnType<typeof listDumps> => listDumps(place, names.network);
  const own = world.containers.some(({ name, running }) => name === names.postgres && running);
  if (cluster.kind === "own" && own) return list(ownPlace(names.postgres, repository));
  const { image } = cluster;
  const labels = stackLabels(settings, "dump");
  return withHelper({ image, repository, server: undefined, prefix: names.network, labels }, list);
}

/** What going from one release back to another means. Changes nothing. */
export async function measureWayBack(
  settings: Settings,
  world: World,
  live: string,
  previous: string,
): Promise<WayBackFacts | undefined> {
  const now = settings.releases.get(live);
  const then = settings.releases.get(previous);
  if (then === undefined) return undefined;
  const code = [...then.services].flatMap(([service, { image }]) =>
    now?.services.get(service)?.image === image ? [] : [service],
  );
  const flags = [...then.services].flatMap(([service, entry]) =>
    [...entry.flags].flatMap(([flag, value]) => {
      const current = now?.services.get(service)?.flags.get(flag);
      return current === value ? [] : [`${service} ${flag}: ${current ?? "unset"} → ${value}`];
    }),
  );
  const common = { release: previous, code, flags, running: runningReleases(world).includes(previous) };
  try {
    const plan = await planSchemaChange({
      databases: settings.databases.values(),
      wanted: then.schema,
      release: previous,
      observe: observer(connectorTo(access(settings), applicationName(settings))),
    });
    const changed = plan.databases.filter(({ steps }) => steps.length > 0);
    return {
      ...common,
      schema: changed.map(
        ({ database, from, to, steps }) => `${database} ${from ?? "0"} → ${to}: ${steps.length} migrations`,
      ),
      archived: changed.flatMap((each) => destroyed(each).map(({ name }) => `${each.database}.${name}`)),
      refused: undefined,
    };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { ...common, schema: [], archived: [], refused: `${error.code}: ${error.details.found}` };
  }
}
