import { takeDump, type Dump } from "../operations/backup/dump.ts";
import { ownPlace, withHelper, type DumpPlace } from "../operations/backup/place.ts";
import { createRestorePoint } from "../operations/database/restore-point.ts";
import { withClient } from "../operations/database/connection.ts";
import { tableFacts } from "../operations/database/tables.ts";
import { access } from "../operations/plan/access.ts";
import { runningReleases } from "../operations/plan/change.ts";
import { stackLabels } from "../settings/stack-names.ts";
import { proveBeforeFence } from "./archive.ts";
import { recordChanges } from "./changes.ts";
import { beginMove } from "./recovery.ts";
import { beginReset } from "./reset.ts";
import type { RunContext } from "./context.ts";
import type { EffectDefinition, EffectRun } from "./effect.ts";

/**
 * A verified dump and a restore point, before a schema changes; with a WAL archive a restore point before every other release,
 * too, so that "before 1.3.0" can be recovered to. And the counts that verification compares with.
 */
export const backup: EffectDefinition = {
  name: "backup",
  preview: ({ context, say }) => {
    if (context.change.dump)
      say(`dumps ${dumped(context).join(", ")} and reads the dump back before anything stops`);
  },
  carryOut: async (run) => {
    run.requires("preflight");
    const { context, say } = run;
    await proveBeforeFence(run);
    await countRows(context);
    await beginMove(run);
    await beginReset(run);
    if (!context.change.dump) {
      say("no schema changes: no dump");
      if (archives(context) && context.change.arriving.length > 0) await setRestorePoint(run);
      return;
    }
    const dump = await dumpAll(context, run.status);
    context.notes.dump = dump.where;
    say(`dump of ${dumped(context).join(", ")}: ${dump.summary}`);
    await setRestorePoint(run);
  },
};

async function setRestorePoint(run: EffectRun): Promise<void> {
  const { context, say } = run;
  const { settings, revision, session, notes } = context;
  // First, so that nothing lies between the point and the record of what comes after it; a way back keeps the records there are.
  if (context.change.kind === "deployment" && context.world.move === undefined)
    await recordChanges(run, true);
  const point = await createRestorePoint(access(settings), `before-${revision}`, session);
  notes.restorePoints.push(point.name);
  say(`restore point ${point.name} at ${point.lsn}, timeline ${point.timeline}`);
}

/** Whether there is a WAL to recover from, of a server that has served before. */
function archives({ settings: { cluster }, world }: RunContext): boolean {
  return cluster.kind === "own" && cluster.backup.schedule !== undefined && world.journal !== undefined;
}

/**
 * All databases that exist: one dump of one moment of the stack is worth more than a part of it. Without one that is left for
 * another: it is kept as a whole, and is perhaps too damaged to be read.
 */
function dumped({ settings, world }: RunContext): string[] {
  return [...settings.databases.keys()].filter(
    (name) => world.schema.get(name)?.exists === true && name !== world.reset?.plan?.database,
  );
}

async function dumpAll(context: RunContext, say: (line: string) => void): Promise<Dump> {
  const { settings, world, names, revision } = context;
  const { cluster } = settings;
  const { repository, retention } = cluster.backup;
  const take = (place: DumpPlace): Promise<Dump> =>
    takeDump({
      place,
      server: access(settings),
      stack: names.network,
      revision,
      releases: runningReleases(world),
      databases: new Map(dumped(context).map((name) => [name, world.schema.get(name)?.version])),
      keep: retention.dumps,
      say,
    });
  if (cluster.kind === "own") return take(ownPlace(names.postgres, repository));
  const server = { ...access(settings), host: cluster.hostForContainers };
  return withHelper(
    {
      image: cluster.image,
      repository,
      server,
      prefix: names.network,
      labels: stackLabels(settings, "dump"),
    },
    take,
  );
}

/** Rows of the key tables as they are before the change. */
async function countRows({ settings, world, notes }: RunContext): Promise<void> {
  // On another volume there are other rows, which preview and preflight have counted.
  if (world.move !== undefined) return;
  for (const { name, keyTables } of settings.databases.values()) {
    if (name === world.reset?.plan?.database) continue;
    if (keyTables.length === 0 || world.schema.get(name)?.exists !== true) continue;
    const tables = keyTables.map(({ table }) => table);
    notes.tablesBefore.set(
      name,
      await withClient(access(settings), name, (client) => tableFacts(client, tables)),
    );
  }
}
