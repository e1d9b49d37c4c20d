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

export interface ReleaseContainersArgs {
  readonly hooks: Hooks;
  readonly network: docker.Network;
  readonly flags: docker.Volume;
  readonly after: pulumi.Resource[];
}

/**
 * The containers of all live and standby releases: created here, before anybody waits, and started by the containers
 * effect once the schema fits. They are named after their release, so blue and green are two resources: what leaves is
 * deleted by the engine after everything else succeeded, and not at all when a step failed.
 */
export class ReleaseContainers extends pulumi.ComponentResource {
  constructor(name: string, args: ReleaseContainersArgs, opts?: pulumi.ComponentResourceOptions) {
    const { desired } = args.hooks.context;
    super("rollback:index:ReleaseContainers", name, { releases: desired.releases }, opts);
    for (const wanted of desired.containers) if (wanted.unit === undefined) this.container(wanted, args);
    this.registerOutputs({});
  }

  private container(
    wanted: DesiredContainer,
    { hooks, network, flags, after }: ReleaseContainersArgs,
  ): docker.Container {
    const { settings } = hooks.context;
    const service = settings.services.get(wanted.service);
    if (service === undefined) throw new Error(`container ${wanted.name} belongs to no service`);
    const { release, replica } = wanted;
    return new docker.Container(
      wanted.name,
      {
        name: wanted.name,
        image: wanted.image,
        labels: labels(settings, "service", { service: wanted.service, release, replica: String(replica) }),
        envs: pulumi.secret(envs(hooks, service, release)),
        networksAdvanced: [{ name: network.name, ipv4Address: wanted.address }],
        volumes: [
          { volumeName: flags.name, containerPath: flagsFolder, readOnly: true },
          ...[...service.volumes].map(([containerPath, volumeName]) => ({ volumeName, containerPath })),
        ],
        restart: "unless-stopped",
        start: false,
        mustRun: false,
        destroyGraceSeconds: Math.ceil(service.stopGrace / 1000),
        // Without a limit of its own, swap reads back as twice the memory, and every refresh would find a change.
        ...(service.memory === undefined ? {} : { memory: service.memory, memorySwap: service.memory }),
        ...(service.user === undefined ? {} : { user: service.user }),
        // A service has no business gaining privileges, whatever its image says.
        securityOpts: ["no-new-privileges:true"],
      },
      { parent: this, dependsOn: after, deleteBeforeReplace: true, hooks: hooks.before("container") },
    );
  }
}

export interface ReleaseRolesArgs {
  readonly hooks: Hooks;
  readonly cluster: Cluster;
  /** The schema must fit before a release may log in. */
  readonly after: pulumi.Resource[];
}

/** A login role for each release and database, so that the database can tell releases apart and keep one out. */
export class ReleaseRoles extends pulumi.ComponentResource {
  constructor(
    name: string,
    { hooks, cluster, after }: ReleaseRolesArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    const { desired } = hooks.context;
    super("rollback:index:ReleaseRoles", name, { running: desired.running }, opts);
    for (const role of desired.roles) {
      const dependsOn = [cluster.provider, ...after];
      loginRole(hooks, role, {
        parent: this,
        provider: cluster.provider,
        dependsOn,
        // A kill between the drop of a role and its record would make every later run fail; it is closed instead.
        retainOnDelete: true,
        hooks: hooks.before("role"),
      });
    }
    this.registerOutputs({});
  }
}

function loginRole(
  hooks: Hooks,
  { role, database, open }: DesiredRole,
  options: pulumi.CustomResourceOptions,
): postgresql.Role {
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
    options,
  );
}

function envs(hooks: Hooks, service: Service, release: string): string[] {
  return [...environment(hooks.context.settings, service, release, hooks.context.world.subnet)]
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
