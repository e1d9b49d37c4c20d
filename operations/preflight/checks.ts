import { secretHash } from "../../settings/secrets.ts";
import { Refusal } from "../../settings/refusal.ts";
import type { MigrationOrder } from "../../settings/schema.ts";
import type { Settings } from "../../settings/types.ts";
import type { Desired } from "../plan/desired.ts";
import type { World } from "../plan/world.ts";
import { checkPorts, type WantedPort } from "./ports.ts";
import { checkImmutable, checkSecrets, type RecordedRelease } from "./record.ts";

/** What is checked without PostgreSQL's help before an effect. Throws the first Refusal; changes nothing. */
export function checkBeforeAnything(settings: Settings, world: World, desired: Desired): void {
  if (world.journal !== undefined) checkSecrets(hashedSecrets(settings), world.journal.secrets);
  checkServer(settings, world);
  checkRoles(world, desired);
}

/**
 * What the catalogue says against what is known of its releases; asked by every run, also by one that finds nothing to do:
 * an entry that was changed in place would otherwise be ignored without a word. Throws Refusals `RELEASE_CHANGED` and
 * `SCHEMA_UNKNOWN_VERSION`.
 */
export function checkCatalogue(
  settings: Settings,
  deployed: ReadonlyMap<string, RecordedRelease>,
  order: MigrationOrder,
): void {
  checkImmutable(settings, deployed);
  for (const { name, schema } of settings.releases.values()) {
    // Migrations of a release that was deployed long ago may have been squashed since.
    if (deployed.has(name)) continue;
    for (const [database, version] of schema) {
      const known = order.get(database) ?? [];
      if (version === "0" || known.length === 0 || known.includes(version)) continue;
      throw new Refusal({
        code: "SCHEMA_UNKNOWN_VERSION",
        found: `rollback:releases["${name}"].schema.${database} is "${version}", which is neither a migration nor applied; the newest known is ${known.at(-1) ?? "none"}.`,
        untouched: "Nothing was changed.",
        next: `Correct it, or add the migration to the folder of rollback:databases.${database}.`,
      });
    }
  }
}

/**
 * A port that the stack is to listen on and somebody else has. Asked by every run: a container whose port changes is
 * taken away before the new one fails to start. `leaving`: ports of an nginx that no longer stands in front. Throws the
 * Refusal `PORT_TAKEN`.
 */
export async function checkPortsToCome(
  settings: Settings,
  world: World,
  leaving: readonly number[],
): Promise<void> {
  const { existing } = settings.gateway;
  await checkPorts(
    portsToCome(settings, world).filter(
      ({ key, port }) =>
        // What is taken over makes room for the stack before anything listens.
        world.takeover?.ports.includes(port) !== true &&
        (key === serverKey ||
          // An existing nginx listens there itself, or one that is left does until then.
          (existing === undefined && !leaving.includes(port))),
    ),
  );
}

const serverKey = "rollback:cluster.port";

/** Keyed hash of each secret by name. */
export function hashedSecrets(settings: Settings): Map<string, string> {
  return new Map(settings.secrets.names.map((name) => [name, secretHash(settings.secrets, name)]));
}

/** A server that was there once may be started or created again, but never be replaced by an empty one. */
function checkServer({ cluster }: Settings, world: World): void {
  if (world.server.answers || !world.initialised) return;
  if (cluster.kind === "external") {
    throw new Refusal({
      code: "SERVER_UNREACHABLE",
      found: `PostgreSQL at ${cluster.host}:${cluster.port} does not answer: ${world.server.why}`,
      untouched: "Nothing was changed.",
      next: "Bring the server back, then run `pulumi up` again.",
    });
  }
  if (world.dataVolumeExists) return;
  throw new Refusal({
    code: "VOLUME_GONE",
    found: `this stack has been deployed before, but its data volume ${cluster.volume} does not exist.`,
    untouched: "Nothing was changed; no empty database was put in its place.",
    next: "Name the volume that holds the data in rollback:cluster.volume, or restore it from a dump (docs/break-glass.md).",
  });
}

/** An application that is superuser cannot be fenced. */
function checkRoles(world: World, desired: Desired): void {
  const { server } = world;
  if (!server.answers) return;
  const superusers = desired.roles.filter(
    ({ role }) => server.observation.roles.get(role)?.superuser === true,
  );
  if (superusers.length === 0) return;
  throw new Refusal({
    code: "APP_IS_SUPERUSER",
    found: `${superusers.map(({ role }) => role).join(", ")} is superuser; nothing can keep such a role out of the database.`,
    untouched: "Nothing was changed.",
    next: superusers.map(({ role }) => `ALTER ROLE "${role}" NOSUPERUSER;`).join("\n"),
  });
}

/** Ports that no running container of the stack has yet; of a new container, or of one whose port changes. */
function portsToCome(settings: Settings, world: World): WantedPort[] {
  const has = (part: string, port: number): boolean =>
    world.containers.some(
      ({ labels, running, ports }) => running && labels.get("part") === part && ports.includes(port),
    );
  const { cluster } = settings;
  const server: WantedPort[] =
    cluster.kind === "own" && !has("postgres", cluster.port)
      ? [{ address: cluster.address, port: cluster.port, key: serverKey }]
      : [];
  const listeners = [...settings.services.values()].flatMap(({ name, public: listener }) =>
    listener === undefined || has("door", listener.port)
      ? []
      : [{ ...listener, key: `rollback:services.${name}.public.port` }],
  );
  return [...server, ...listeners];
}
