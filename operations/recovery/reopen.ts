import type { ClientBase } from "pg";
import { z } from "zod";
import { dataFolder } from "../../settings/archive.ts";
import { isRefusal } from "../../settings/refusal.ts";
import { stackNames } from "../../settings/stack-names.ts";
import type { Settings } from "../../settings/types.ts";
import { pgbackrest, runArchive, serverConfig } from "../archive/pgbackrest.ts";
import { archivedTimelines, historyName } from "../archive/timelines.ts";
import { waitUntilReady, withClient, type Say, type Server } from "../database/connection.ts";
import { inTransaction, literal, rowOf } from "../database/query.ts";
import { refuseIfInVain } from "../docker/in-vain.ts";
import { docker } from "../docker/run.ts";
import { moveJournal, type JournalKey } from "../journal/journal.ts";
import { appendEvent } from "../migrations/ledger/write.ts";
import type { ServerState } from "../plan/world.ts";
import { waitForRecovery } from "./instance.ts";
import { historyArchived, resetRecovery, timelineOf } from "./promote.ts";
import type { Abandoned } from "./types.ts";
import { historyCommand } from "./undo.ts";

/** Milliseconds for one look into the archive; one that does not answer is noticed by its own check. */
const lookPatience = 15_000;

/** Milliseconds until a server that replays its log after a restart is given up. */
const startDeadline = 5 * 60_000;

/** Looks for an abandoned timeline; undefined: there is none, or no archive that tells. Changes nothing. */
export async function observeAbandoned(
  settings: Settings,
  server: ServerState,
): Promise<Abandoned | undefined> {
  const { cluster } = settings;
  if (cluster.kind !== "own" || cluster.backup.schedule === undefined || !server.answers) return undefined;
  const { observation } = server;
  const archives =
    observation.settings.get("archive_mode")?.setting === "on" && observation.unarchived === null;
  if (!archives || observation.inRecovery) return undefined;
  try {
    const known = await archivedTimelines(stackNames(settings).postgres, lookPatience);
    return abandoned(observation.timeline, known);
  } catch (error) {
    if (["ARCHIVE_FAILED", "CONTAINER_STOPS", "DOCKER_SLOW"].some((code) => isRefusal(error, code)))
      return undefined;
    throw error;
  }
}

/** Pure. */
export function abandoned(own: number, known: readonly number[]): Abandoned | undefined {
  const newest = Math.max(own, ...known);
  return newest > own ? { own, newest } : undefined;
}

/** A line for preview and the beginning of `up`. */
export function describeAbandoned({ own, newest }: Abandoned, volume: string): string {
  return `the archive has timeline ${newest}, which a run opened that was killed, and the server is on timeline ${own} of ${volume}: a restore by hand would follow the abandoned one. The server is restarted and opens a new timeline on ${volume}, with all that is on it`;
}

export interface ServingServer {
  readonly server: Server;
  readonly container: string;
  /** Progress. */
  readonly status: Say;
}

/** Looks again, now that everybody waits; undefined: another run has opened a new timeline meanwhile. */
export async function stillAbandoned({ server, container }: ServingServer): Promise<Abandoned | undefined> {
  return abandoned(await timelineOf(server), await archivedTimelines(container));
}

/**
 * Restarts the server that serves so that it opens a new timeline on its volume, where it ends; nothing is replayed that is not on the
 * volume. Repeatable: killed anywhere, the server is as it was, or opens the timeline at its next start.
 */
export async function restartOnNewTimeline(
  { server, container, status }: ServingServer,
  { own, newest }: Abandoned,
): Promise<void> {
  await withClient(server, "postgres", async (client) => {
    await client.query(`alter system set restore_command = ${literal(historyCommand)}`);
    await client.query(`alter system set recovery_target_timeline = '${own}'`);
  });
  // Its number must be free also when the archive cannot be reached just as the server starts.
  for (let timeline = own + 1; timeline <= newest; timeline += 1) await fetchHistory(container, timeline);
  await inContainer(container, ["touch", `${dataFolder}/recovery.signal`]);
  await docker(["restart", "--time", "60", container], { timeoutMs: 120_000 });
  const inVain = (): Promise<void> => refuseIfInVain(container);
  await waitUntilReady(server, startDeadline, status, { hopeless: inVain });
  await waitForRecovery(server, ({ recovering }) => !recovering, startDeadline, inVain);
}

async function fetchHistory(container: string, timeline: number): Promise<void> {
  const name = historyName(timeline);
  const script = `test -e "$1" || { f=$1; shift; "$@" "$f.new" && mv "$f.new" "$f"; }`;
  const get = pgbackrest(serverConfig, "archive-get", [name]);
  await runArchive(container, ["sh", "-ec", script, "sh", `${dataFolder}/pg_wal/${name}`, ...get]);
}

const inContainer = (container: string, command: readonly string[]): Promise<string> =>
  docker(["exec", "-u", "postgres", container, ...command]);

/**
 * Whether the server has opened a new timeline in its place and nobody has put that on record: what it was told for it is still
 * among its settings, and it has started since.
 */
export async function reopenedUnrecorded({ server }: Pick<ServingServer, "server">): Promise<boolean> {
  const { unrecorded } = await withClient(server, "postgres", (client) =>
    rowOf(
      client,
      z.object({ unrecorded: z.boolean() }),
      `select current_setting('restore_command') = ${literal(historyCommand)}
          and (pg_stat_file('recovery.signal', true)).modification is null as unrecorded`,
    ),
  );
  return unrecorded;
}

export interface Reopening {
  readonly run: string;
  readonly volume: string;
  readonly databases: readonly string[];
  /** Of this stack on any timeline of this server. */
  readonly journal: Pick<JournalKey, "stack" | "systemIdentifier">;
}

/** Puts a new timeline on record and takes back what the server was told for it. Repeatable. @returns the timeline. */
export async function recordReopening(
  { server, container }: ServingServer,
  reopening: Reopening,
): Promise<number> {
  // Control file and checkpointer take up the new timeline, and with it archive_timeout.
  await withClient(server, "postgres", (client) => client.query("checkpoint"));
  const timeline = await historyArchived({ server, container });
  await recordTimeline(server, reopening, await leftTimeline(server), timeline);
  await withClient(server, "postgres", resetRecovery);
  return timeline;
}

/** The stack's journal goes on, on the new timeline, and the ledger says so. Repeatable. */
export async function recordTimeline(
  server: Server,
  { run, volume, databases, journal }: Reopening,
  from: number,
  timeline: number,
): Promise<void> {
  for (const database of databases) {
    await withClient(server, database, (client) =>
      inTransaction(client, async () => {
        await moveJournal(client, { ...journal, timeline: from }, timeline);
        await appendOnce(client, run, { volume, from, timeline });
      }),
    );
  }
}

/** The timeline that the server was told to go on from. */
async function leftTimeline(server: Server): Promise<number> {
  const { left } = await withClient(server, "postgres", (client) =>
    rowOf(
      client,
      z.object({ left: z.coerce.number() }),
      "select current_setting('recovery_target_timeline') as left",
    ),
  );
  return left;
}

async function appendOnce(
  client: ClientBase,
  run: string,
  details: { readonly volume: string; readonly from: number; readonly timeline: number },
): Promise<void> {
  const { keeps } = await rowOf(
    client,
    z.object({ keeps: z.boolean() }),
    "select to_regclass('rollback.event') is not null as keeps",
  );
  if (!keeps) return;
  // The program of a killed engine may be about to write the same.
  await client.query("lock table rollback.event in share row exclusive mode");
  const { told } = await rowOf(
    client,
    z.object({ told: z.boolean() }),
    "select exists (select from rollback.event where kind = 'reopened' and details->>'timeline' = $1) as told",
    [String(details.timeline)],
  );
  if (!told) await appendEvent(client, run, "reopened", details);
}
