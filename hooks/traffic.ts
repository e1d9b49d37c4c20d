import { settle } from "../operations/traffic/drain.ts";
import { openGate } from "../operations/traffic/gate.ts";
import { routerConfig } from "../operations/traffic/router-config.ts";
import { applyRoutes, readFreshUntil } from "../operations/traffic/routes.ts";
import type { RunContext } from "./context.ts";
import type { EffectDefinition } from "./effect.ts";
import { assertStillOurs, claimRouter } from "./claim.ts";
import { assertReached } from "./front.ts";
import { holdRequests } from "./hold.ts";
import { switchUnits } from "./units.ts";

/** The router gets the routes of the live releases, requests that were held go there, and those in flight elsewhere end. */
export const traffic: EffectDefinition = {
  name: "traffic",
  preview: ({ context, say }) => {
    const weights = context.settings.live.map(({ release, weight }) => `${release} ${weight} %`);
    if (!context.steady) say(`traffic goes to ${weights.join(", ")}`);
  },
  carryOut: async (run) => {
    run.requires("schema", "containers", "caches");
    const { settings, gateway, names, notes } = run.context;
    await together(holdForTheSwitch(run.context), claimRouter(run.context));
    const until = await browsersUntil(run.context);
    await applyRoutes(names.router, routerConfig(gateway, until), run.context.revision);
    notes.switched = true;
    if (notes.lease === undefined) {
      // Nobody else's hold is opened: a program that was overtaken has no lease that could tell it so.
      await assertStillOurs(run.context);
      await openGate(names.door);
    } else await notes.lease.release();
    const held = notes.heldSince === undefined ? undefined : performance.now() - notes.heldSince.tick;
    if (held !== undefined) {
      notes.heldFor = held;
      run.say(`requests were held for ${(held / 1000).toFixed(2)} s`);
    }
    await switchUnits(run.context);
    const weights = settings.live.map(({ release, weight }) => `${release} ${weight} %`);
    run.say(`traffic goes to ${weights.join(", ")}`);
    // What leaves is deleted when this run is proven; until then it answers what it had begun.
    const left = await settle(names.router, settings.gateway.drain);
    if (left > 0)
      run.say(`some requests to what leaves outlasted the drain of ${settings.gateway.drain / 1000} s`);
    await assertReached(run.context);
  },
};

/** From a switch of code on for the stated time; any other change of the routes leaves the end of it where it was. */
async function browsersUntil({ settings, change, names }: RunContext): Promise<number> {
  const { browsers } = settings.gateway;
  if (browsers === undefined) return 0;
  return change.code ? Date.now() + browsers.for : readFreshUntil(names.router);
}

/**
 * While a router reloads, its old and its new workers take requests side by side for a moment. A door that holds across
 * it lets nobody in to what leaves once the first answer has come from what arrives.
 */
async function holdForTheSwitch(context: RunContext): Promise<void> {
  const { notes, world, gateway, change } = context;
  // Both releases suit the schema: an answer of the one that leaves does no harm for another moment.
  if (change.live) return;
  const switches = world.gateway.routes !== routerConfig(gateway).generation;
  if (notes.lease === undefined && world.gateway.mode === "open" && switches) await holdRequests(context);
}

/** Waits for both, also when one fails: whoever gives a run up must find its lease. */
async function together(...work: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}
