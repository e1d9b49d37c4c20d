import * as docker from "@pulumi/docker";
import * as postgresql from "@pulumi/postgresql";
import * as pulumi from "@pulumi/pulumi";
import type { Hooks } from "../hooks/index.ts";
import { environment, flagsFolder } from "../operations/plan/environment.ts";
import type { DesiredContainer, DesiredRole } from "../operations/plan/desired.ts";
import { ownerRole } from "../settings/names.ts";
import { stackNames } from "../settings/stack-names.ts";
import { rolePassword } from "../settings/secrets.ts";
import type { Service } from "../settings/types.ts";
import type { Cluster } from "./cluster.ts";
import { labels } from "./labels.ts";

export interface ReleasesArgs {
  readonly hooks: Hooks;
  readonly cluster: Cluster;
  readonly network: docker.Network;
  readonly flags: docker.Volume;
  /** The schema must fit before a release may log in. */
  readonly after: pulumi.Resource[];
}

/**
 * Login roles and containers, by release. Both are named after their release, so blue and green are two resources:
 * what leaves is deleted by the engine after everything else succeeded, and not at all when a step failed.
 */
export class Releases extends pulumi.ComponentResource {
  readonly containers: docker.Container[];
  private readonly args: ReleasesArgs;

  constructor(name: string, args: ReleasesArgs, opts?: pulumi.ComponentResourceOptions) {
    const { desired } = args.hooks.context;
    super("rollback:index:Releases", name, { running: desired.running }, opts);
    this.args = args;
    const roles = new Map(desired.roles.map((role) => [`${role.database} ${role.release}`, this.role(role)]));
    this.containers = desired.containers.map((container) => this.container(container, roles));
    this.registerOutputs({});
  }

  private role({ role, database, open }: DesiredRole): postgresql.Role {
    const { hooks, cluster, after } = this.args;
    const owner = ownerRole(database);
    return new postgresql.Role(
      role,
      {
        name: role,
        login: open,
        password: pulumi.secret(rolePassword(hooks.context.settings.secrets, role)),
        roles: [owner],
        // Whatever the release creates belongs to the owner, so that every other release can use it.
        assumeRole: owner,
      },
      { parent: this, provider: cluster.provider, dependsOn: after, hooks: hooks.before("role") },
    );
  }

  private container(wanted: DesiredContainer, roles: ReadonlyMap<string, postgresql.Role>): docker.Container {
    const { hooks, network, flags, after } = this.args;
    const { settings } = hooks.context;
    const service = settings.services.get(wanted.service);
    if (service === undefined) throw new Error(`container ${wanted.name} belongs to no service`);
    const role = roles.get(`${service.database ?? ""} ${wanted.release}`);
    return new docker.Container(
      wanted.name,
      {
        name: wanted.name,
        image: wanted.image,
        labels: labels(settings, "service", {
          service: wanted.service,
          release: wanted.release,
          replica: String(wanted.replica),
        }),
        envs: pulumi.secret(envs(hooks, service, wanted.release)),
        networksAdvanced: [{ name: network.name, ipv4Address: wanted.address }],
        volumes: [{ volumeName: flags.name, containerPath: flagsFolder, readOnly: true }],
        restart: "unless-stopped",
        destroyGraceSeconds: Math.ceil(service.stopGrace / 1000),
        // Without a limit of its own, swap reads back as twice the memory, and every refresh would find a change.
        ...(service.memory === undefined ? {} : { memory: service.memory, memorySwap: service.memory }),
        ...(service.user === undefined ? {} : { user: service.user }),
        // A service has no business gaining privileges, whatever its image says.
        securityOpts: ["no-new-privileges:true"],
      },
      {
        parent: this,
        dependsOn: role === undefined ? after : [role, ...after],
        deleteBeforeReplace: true,
        hooks: hooks.before("container"),
      },
    );
  }
}

function envs(hooks: Hooks, service: Service, release: string): string[] {
  return [...environment(hooks.context.settings, service, release)]
    .map(([name, value]) => `${name}=${value}`)
    .sort();
}

/** The volume through which flags reach the containers. */
export function flagsVolume(hooks: Hooks, options: pulumi.CustomResourceOptions): docker.Volume {
  const { settings } = hooks.context;
  const name = stackNames(settings).volume("flags");
  return new docker.Volume(
    "flags",
    { name, labels: labels(settings, "volume", { volume: "flags" }) },
    { ...options, hooks: hooks.before("infrastructure") },
  );
}
