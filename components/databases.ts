import * as postgresql from "@pulumi/postgresql";
import * as pulumi from "@pulumi/pulumi";
import type { Hooks } from "../hooks/index.ts";
import type { TakeoverState } from "../operations/takeover/state.ts";
import { operatorRole, ownerRole } from "../settings/names.ts";
import type { Database } from "../settings/types.ts";
import type { Cluster } from "./cluster.ts";

export interface DatabasesArgs {
  readonly hooks: Hooks;
  readonly cluster: Cluster;
}

/** Owner roles, databases, extensions, the operator and its schema: what a migration needs. */
export class Databases extends pulumi.ComponentResource {
  private readonly hooks: Hooks;
  private readonly provider: postgresql.Provider;
  /** Grants change shared rows, and two at once fail with "tuple concurrently updated": each waits for the one before. */
  private last: pulumi.Resource[];

  constructor(name: string, args: DatabasesArgs, opts?: pulumi.ComponentResourceOptions) {
    const { hooks, cluster } = args;
    const databases = [...hooks.context.settings.databases.values()];
    super("rollback:index:Databases", name, { databases: databases.map((each) => each.name) }, opts);
    this.hooks = hooks;
    this.provider = cluster.provider;
    this.last = [cluster.ready];
    const owners = databases.map((database) => this.keeper(ownerRole(database.name), { login: false }));
    // Memberships are listed here and not granted one by one: an update of a role takes away those it does not list.
    // The password is set by the schema effect, so that a role which outlived its stack can be imported.
    const operator = this.keeper(operatorRole, {
      login: true,
      roles: [...owners.map((owner) => owner.name), "pg_monitor"],
    });
    databases.forEach((database, n) => this.database(database, owners[n], operator));
    this.registerOutputs({});
  }

  private database(database: Database, owner: postgresql.Role | undefined, operator: postgresql.Role): void {
    const { name } = database;
    const ownerName = owner?.name ?? ownerRole(name);
    const created = this.inTurn(
      new postgresql.Database(
        name,
        { name, owner: ownerName, encoding: "UTF8", template: "template0", connectionLimit: -1 },
        { ...this.options(), retainOnDelete: true, ...this.importDatabase(name) },
      ),
    );
    this.inTurn(
      new postgresql.Grant(
        `${name}-connect`,
        {
          database: created.name,
          role: ownerName,
          objectType: "database",
          privileges: ["CONNECT", "CREATE", "TEMPORARY"],
        },
        this.options(),
      ),
    );
    this.inTurn(
      new postgresql.Schema(
        `${name}-rollback`,
        { database: created.name, name: "rollback", owner: operator.name },
        { ...this.options(), retainOnDelete: true },
      ),
    );
    this.inTurn(
      new postgresql.DefaultPrivileges(
        `${name}-readable`,
        {
          database: created.name,
          role: operator.name,
          owner: ownerName,
          schema: "public",
          objectType: "table",
          privileges: ["SELECT"],
        },
        this.options(),
      ),
    );
    for (const extension of database.extensions) {
      this.inTurn(
        new postgresql.Extension(
          `${name}-${extension}`,
          { database: created.name, name: extension },
          this.options(),
        ),
      );
    }
  }

  /** A role that owns things and so outlives the stack together with them. */
  private keeper(name: string, args: postgresql.RoleArgs): postgresql.Role {
    const exists = this.willExist(name, ({ roles }) => roles);
    return this.inTurn(
      new postgresql.Role(
        name,
        { name, ...args },
        { ...this.options(), retainOnDelete: true, ...(exists ? { import: name } : {}) },
      ),
    );
  }

  /** A database that is there already, such as one on an adopted volume, is imported, never created over. */
  private importDatabase(name: string): pulumi.CustomResourceOptions {
    return this.willExist(name, ({ databases }) => databases) ? { import: name } : {};
  }

  /** Whether something is in the server, or in data that is taken over before its turn comes; a preview finds neither yet. */
  private willExist(name: string, kind: (found: Found) => { has(name: string): boolean }): boolean {
    const { server, takeover } = this.hooks.context.world;
    if (server.answers) return kind(server.observation).has(name);
    if (takeover?.server === undefined || pulumi.runtime.isDryRun()) return false;
    return kind(found(takeover.server)).has(name);
  }

  private options(): pulumi.CustomResourceOptions {
    return {
      parent: this,
      provider: this.provider,
      dependsOn: this.last,
      hooks: this.hooks.before("infrastructure"),
    };
  }

  private inTurn<R extends pulumi.Resource>(resource: R): R {
    this.last = [resource];
    return resource;
  }
}

interface Found {
  readonly roles: { has(name: string): boolean };
  readonly databases: { has(name: string): boolean };
}

/** What taking over leaves in a server that was somebody else's. */
function found({ facts, versions }: NonNullable<TakeoverState["server"]>): Found {
  return {
    roles: new Set([...facts.roles, ...[...versions.keys()].map(ownerRole)]),
    databases: new Set(facts.databases.map(({ name }) => name)),
  };
}
