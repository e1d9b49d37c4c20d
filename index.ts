import * as pulumi from "@pulumi/pulumi";
import { caches } from "./components/cache.ts";
import { Cluster } from "./components/cluster.ts";
import { Databases } from "./components/databases.ts";
import { effect } from "./components/effect.ts";
import { Gateway } from "./components/gateway.ts";
import { network } from "./components/network.ts";
import { Releases, flagsVolume } from "./components/releases.ts";
import { loadSettings, wasInitialised } from "./components/configuration.ts";
import { registerHooks } from "./hooks/index.ts";
import { prepareRun } from "./hooks/context.ts";

// The runbook, top to bottom. What happens in a step is in hooks/, how it is done is in operations/.
const settings = loadSettings();
const context = await prepareRun(settings, await wasInitialised(), (line) => void pulumi.log.info(line));
const hooks = registerHooks(context);

const preflight = effect(hooks, "preflight", {});
const net = network(hooks, { dependsOn: preflight });
const flags = flagsVolume(hooks, { dependsOn: preflight });
const gateway = new Gateway("gateway", { hooks, network: net, flags, after: [preflight] });
const cacheServers = caches(hooks, net, { dependsOn: preflight });

const backup = effect(hooks, "backup", { dependsOn: preflight });
const fence = effect(hooks, "fence", { dependsOn: [backup, ...gateway.parts] });
const cluster = new Cluster("cluster", { hooks, network: net, after: [fence] });
const databases = new Databases("databases", { hooks, cluster, after: [] });
const flagged = effect(hooks, "flags", { dependsOn: [databases.schema, ...gateway.parts] });
const releases = new Releases("releases", {
  hooks,
  cluster,
  network: net,
  flags,
  after: [databases.schema, flagged],
});
const healthy = effect(hooks, "containers", { dependsOn: releases });
const cleared = effect(hooks, "caches", { dependsOn: [healthy, ...cacheServers] });
const traffic = effect(hooks, "traffic", { dependsOn: cleared });
const verification = effect(hooks, "verification", { dependsOn: traffic });

/** Set by the first successful run; from then on a missing server is a fault, no longer a beginning. */
export const initialised = verification.input.apply(() => true);
export const live = context.inputs["traffic"];
export const urls = gateway.urls;
export const stack = pulumi.getStack();
