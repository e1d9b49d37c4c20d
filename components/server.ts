import type * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import type { Hooks } from "../hooks/index.ts";
import { Cluster } from "./cluster.ts";
import { Databases } from "./databases.ts";

export interface DatabaseServer {
  readonly cluster: Cluster;
  readonly databases: Databases;
}

/** PostgreSQL and what is in it, short of schemas and release roles; touched only when `after` is over. */
export function databaseServer(
  hooks: Hooks,
  network: docker.Network,
  after: pulumi.Resource[],
): DatabaseServer {
  const cluster = new Cluster("cluster", { hooks, network, after });
  return { cluster, databases: new Databases("databases", { hooks, cluster }) };
}
