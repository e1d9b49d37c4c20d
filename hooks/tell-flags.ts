import { tellOfFlags } from "../operations/flags/reload.ts";
import type { DesiredContainer } from "../operations/plan/desired.ts";
import { flagsFile } from "../operations/plan/environment.ts";
import { formerPlan } from "../operations/plan/former.ts";
import { drain, settle } from "../operations/traffic/drain.ts";
import { routerConfig } from "../operations/traffic/router-config.ts";
import { applyRoutes, readFreshUntil } from "../operations/traffic/routes.ts";
import type { RunContext } from "./context.ts";
import type { EffectRun } from "./effect.ts";
import { holdRequests } from "./hold.ts";

/** Containers that were running before this run have read older flags: each is told, or restarted where it cannot be. */
export async function tellThoseThatStayed(run: EffectRun): Promise<void> {
  const { desired, settings, names, notes, world } = run.context;
  const before = new Map(
    world.containers.filter(({ running }) => running).map((container) => [container.name, container]),
  );
  // What takes no traffic first: requests need not wait for its restart.
  const order = desired.containers.toSorted(
    (one, other) => Number(takesTraffic(run.context, one)) - Number(takesTraffic(run.context, other)),
  );
  for (const wanted of order) {
    const { name, service, release, address, port, started } = wanted;
    const container = before.get(name);
    const entry = settings.services.get(service);
    const written = notes.flags.get(flagsFile(service, release));
    if (!started || container === undefined || entry === undefined || written === undefined) continue;
    if (container.startedAt > written.at) continue;
    const tell = () =>
      tellOfFlags(names.router, {
        name,
        address,
        port,
        release,
        service: entry,
        secrets: settings.secrets,
        changed: written.changed,
      });
    const busy = entry.reload === undefined && takesTraffic(run.context, wanted);
    const told = busy ? await restartInService(run, wanted, tell) : await tell();
    if (written.changed) run.say(`${name} ${told}`);
  }
}

/** Whether requests go there now, or may: a run that did not finish has left the weights uncertain. */
export function takesTraffic(
  { world: { journal } }: RunContext,
  { release }: { readonly release: string },
): boolean {
  return journal === undefined || journal.overtaken || journal.weights.has(release);
}

/**
 * Restarts what takes requests. With others of its release beside it, it is taken out of the routes first and finishes what
 * it has, so that neither clients nor the stack's other services meet it while it is away; alone, requests wait at the door.
 */
async function restartInService(
  run: EffectRun,
  { name, service }: DesiredContainer,
  restart: () => Promise<string>,
): Promise<string> {
  const { context, say } = run;
  const routes = await routesAround(context, name, service);
  if (routes === undefined) {
    await emptyForRestart(run);
    return restart();
  }
  const { names, revision, settings } = context;
  await applyRoutes(names.router, routes.without, revision);
  const left = await settle(names.router, settings.gateway.drain);
  if (left > 0) say(`some requests to ${name} outlasted the drain of ${settings.gateway.drain / 1000} s`);
  const told = await restart();
  await applyRoutes(names.router, routes.all, revision);
  return `${told}, its requests going to others meanwhile`;
}

/** The routes in force with and without a container; undefined when they are uncertain, or its release has no other. */
async function routesAround({ settings, world, names, notes }: RunContext, name: string, service: string) {
  if (notes.lease !== undefined || world.gateway.mode !== "open") return undefined;
  const all = formerPlan(settings, world);
  const without = formerPlan(settings, world, name);
  if (all === undefined || without === undefined) return undefined;
  const serversOf = (plan: typeof all) => plan.services.find((each) => each.name === service)?.servers.length;
  if (routerConfig(all).generation !== world.gateway.routes || serversOf(all) === serversOf(without))
    return undefined;
  const until = settings.gateway.browsers === undefined ? 0 : await readFreshUntil(names.router);
  return { all: routerConfig(all, until), without: routerConfig(without, until) };
}

/** Requests wait at the door while a container restarts that would refuse them, and those in flight finish before. */
export async function emptyForRestart({ context, say, status }: EffectRun): Promise<void> {
  if (context.notes.lease !== undefined || context.world.gateway.mode !== "open") return;
  await holdRequests(context);
  const left = await drain(context.names, context.settings.gateway.drain, status);
  say(
    left === 0
      ? "requests are held while containers restart to read their flags"
      : `requests are held while containers restart to read their flags; ${left} still in flight after the drain are cut off`,
  );
}
