import * as docker from "@pulumi/docker";
import * as postgresql from "@pulumi/postgresql";
import * as pulumi from "@pulumi/pulumi";
import type { Hooks } from "../hooks/index.ts";
import { stackNames } from "../settings/stack-names.ts";
import { rolePassword, scramVerifier } from "../settings/secrets.ts";
import type { OwnCluster } from "../settings/types.ts";
import { effect } from "./effect.ts";
import { labels } from "./labels.ts";
import { access } from "../operations/plan/access.ts";
import { reservedAddress } from "../operations/plan/addresses.ts";
import { clusterHash } from "../operations/plan/cluster.ts";

export interface ClusterArgs {
  readonly hooks: Hooks;
  readonly network: docker.Network;
  /** What must be over before the server may be touched. */
  readonly after: pulumi.Resource[];
}

/** PostgreSQL: our own container on a named volume, or somebody else's server; ready once it answers with our settings. */
export class Cluster extends pulumi.ComponentResource {
  readonly ready: pulumi.Stash;
  readonly provider: postgresql.Provider;

  constructor(name: string, args: ClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    const { hooks } = args;
    const { cluster } = hooks.context.settings;
    super("rollback:index:Cluster", name, { kind: cluster.kind, image: cluster.image }, opts);
    const server = cluster.kind === "own" ? [this.server(cluster, args)] : args.after;
    this.ready = effect(hooks, "ready", { parent: this, dependsOn: server });
    this.provider = this.access(hooks);
    this.registerOutputs({});
  }

  private server(cluster: OwnCluster, { hooks, network, after }: ClusterArgs): docker.Container {
    const { settings, desired } = hooks.context;
    const data = this.volume(hooks, "data", cluster.volume, after);
    const repository = cluster.backup.repository;
    const dumps = "volume" in repository ? this.volume(hooks, "dumps", repository.volume, after) : undefined;
    const password = rolePassword(settings.secrets, "postgres");
    return new docker.Container(
      "postgres",
      {
        name: stackNames(settings).postgres,
        image: cluster.image,
        labels: labels(settings, "postgres", { inputs: clusterHash(settings) }),
        // Read by the first start only; a verifier, so that not even `docker inspect` shows a password.
        envs: pulumi.secret([
          "PG_INIT=allow",
          `PG_SCRAM=${scramVerifier(password, `${settings.project}/${settings.stack}`)}`,
        ]),
        networksAdvanced: [{ name: network.name, ipv4Address: reservedAddress(desired.subnet, "postgres") }],
        ports: [{ internal: 5432, external: cluster.port, ip: cluster.address }],
        volumes: [
          { volumeName: data.name, containerPath: "/var/lib/postgresql/data" },
          dumps === undefined
            ? { hostPath: "folder" in repository ? repository.folder : "", containerPath: "/var/lib/dumps" }
            : { volumeName: dumps.name, containerPath: "/var/lib/dumps" },
        ],
        shmSize: 256,
        restart: "unless-stopped",
        stopSignal: "SIGINT",
        // Unset would mean an immediate SIGKILL, which leaves the last WAL segment unarchived.
        destroyGraceSeconds: 60,
      },
      {
        parent: this,
        dependsOn: after,
        deleteBeforeReplace: true,
        ignoreChanges: ["envs"],
        hooks: hooks.before("container"),
      },
    );
  }

  /** Data outlives the stack: a volume is never deleted by it. One that was there before has whatever labels it has. */
  private volume(hooks: Hooks, kind: string, name: string, dependsOn: pulumi.Resource[]): docker.Volume {
    return new docker.Volume(
      name,
      { name, labels: labels(hooks.context.settings, "volume", { volume: kind }) },
      {
        parent: this,
        dependsOn,
        retainOnDelete: true,
        ignoreChanges: ["labels", "driver", "driverOpts"],
        hooks: hooks.before("infrastructure"),
      },
    );
  }

  private access(hooks: Hooks): postgresql.Provider {
    // Constants on purpose: derived from the container, every resource in the database would show as changed with it.
    const { host, port, user, password, ssl } = access(hooks.context.settings);
    return new postgresql.Provider(
      "postgresql",
      {
        host,
        port,
        username: user,
        password: pulumi.secret(password),
        sslmode: ssl,
        superuser: hooks.context.settings.cluster.kind === "own",
        connectTimeout: 15,
      },
      { parent: this },
    );
  }
}
