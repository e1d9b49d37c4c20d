import * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import type { Hooks } from "../hooks/index.ts";
import { stackNames } from "../settings/stack-names.ts";
import { labels } from "./labels.ts";

/** The stack's own bridge network, with a subnet that is fixed so that upstreams can have fixed addresses. */
export function network(hooks: Hooks, options: pulumi.CustomResourceOptions): docker.Network {
  const { settings, desired } = hooks.context;
  return new docker.Network(
    "network",
    {
      name: stackNames(settings).network,
      driver: "bridge",
      ipamConfigs: [{ subnet: desired.subnet }],
      labels: labels(settings, "network"),
    },
    { ...options, deleteBeforeReplace: true, hooks: hooks.before("network") },
  );
}
