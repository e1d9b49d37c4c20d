import * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import type { Hooks } from "../hooks/index.ts";
import { reservedAddress } from "../operations/plan/addresses.ts";
import { stackNames } from "../settings/stack-names.ts";
import { labels } from "./labels.ts";

/** The caches that the configuration declares, one Redis container each, without persistence. */
export function caches(
  hooks: Hooks,
  network: docker.Network,
  options: pulumi.CustomResourceOptions,
): docker.Container[] {
  const { settings, desired } = hooks.context;
  return [...settings.caches.values()].map(
    ({ name, image }, n) =>
      new docker.Container(
        `cache-${name}`,
        {
          name: stackNames(settings).cache(name),
          image,
          labels: labels(settings, "cache", { cache: name }),
          networksAdvanced: [
            { name: network.name, ipv4Address: reservedAddress(desired.subnet, { cache: n }) },
          ],
          restart: "unless-stopped",
          destroyGraceSeconds: 5,
        },
        { ...options, deleteBeforeReplace: true, hooks: hooks.before("container") },
      ),
  );
}
