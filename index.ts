import * as pulumi from "@pulumi/pulumi";
import { caches } from "./components/cache.ts";
import { effect } from "./components/effect.ts";
import { Gateway } from "./components/gateway.ts";
import { network } from "./components/network.ts";
import { ReleaseContainers, ReleaseRoles, flagsVolume } from "./components/releases.ts";
import { databaseServer } from "./components/server.ts";
import { loadSettings, wasInitialised } from "./components/configuration.ts";
import { registerHooks } from "./hooks/index.ts";
import { leftByDestroy } from "./hooks/units.ts";
import { prepareRun } from "./hooks/context.ts";

// The runbook, top to bottom. What happens in a step is in hooks/, how it is done is in operations/.
const settings = loadSettings();
const context = await prepareRun(settings, await wasInitialised(), {
  update: !pulumi.runtime.isDryRun(),
  say: (line) => void pulumi.log.info(line),
});
const hooks = registerHooks(context);

// The SDK records a stack trace for every property of every resource, which takes longer than all the rest of a run without
// changes. Errors of the steps themselves arise later and keep theirs.
const traced = Error.stackTraceLimit;
Error.stackTraceLimit = 0;

const preflight = effect(hooks, "preflight", {});
const net = network(hooks, { dependsOn: preflight });
const flags = flagsVolume(hooks, { dependsOn: preflight });
const cacheServers = caches(hooks, net, { dependsOn: preflight });
const created = new ReleaseContainers("containers", { hooks, network: net, flags, after: [preflight] });
// Whoever listens on the stack's ports and has its data makes room when everything that can be made before is there.
const room =
  settings.takeover === undefined
    ? preflight
    : effect(hooks, "takeover", { dependsOn: [...cacheServers, created] });
const gateway = new Gateway("gateway", { hooks, network: net, flags, after: [room] });
// A server that keeps running is brought up to date before anybody waits; one that has to stop is fenced first.
const running = context.change.serverStops.length === 0 ? databaseServer(hooks, net, [room]) : undefined;
// The engine makes a server again that a killed run left behind: whoever asks it waits until it is ready.
const ready = running === undefined ? [] : [running.cluster.ready];
// An nginx of the user's gets the stack's file once there is a door that it can pass requests on to.
const reachable =
  context.front === undefined
    ? gateway.parts
    : [effect(hooks, "front", { dependsOn: [...gateway.parts, ...ready] })];
const flagged = effect(hooks, "flags", { dependsOn: [...reachable, ...ready] });

const backup = effect(hooks, "backup", { dependsOn: [preflight, ...ready] });
const prepared = [
  backup,
  flagged,
  created,
  ...cacheServers,
  ...(running === undefined ? [] : [running.databases]),
];
const fence = effect(hooks, "fence", { dependsOn: prepared });
// A server that goes to another volume finds it ready; without that there is no such step.
const moves = context.world.move !== undefined || settings.recovery !== undefined;
const recovered = moves ? effect(hooks, "recovery", { dependsOn: fence }) : fence;
const { cluster, databases } = running ?? databaseServer(hooks, net, [recovered]);

// A database that is made anew takes its name when nobody works with the one before any more.
const anew =
  settings.reset === undefined ? recovered : effect(hooks, "reset", { dependsOn: [recovered, databases] });

const schema = effect(hooks, "schema", { dependsOn: [anew, databases] });
const cleared = effect(hooks, "caches", { dependsOn: schema });
const roles = new ReleaseRoles("roles", { hooks, cluster, after: [schema] });
const healthy = effect(hooks, "containers", { dependsOn: roles });
const traffic = effect(hooks, "traffic", { dependsOn: [healthy, cleared] });
const verification = effect(hooks, "verification", { dependsOn: traffic });
Error.stackTraceLimit = traced;

/** Set by the first successful run; from then on a missing server is a fault, no longer a beginning. */
export const initialised = verification.input.apply(() => true);
export const live = context.inputs["traffic"];
export const urls = gateway.urls;
export const units = leftByDestroy(context);
export const stack = pulumi.getStack();
