import { z } from "zod";
import type { ClientBase } from "pg";
import { archiveFolder } from "../archive/pgbackrest.ts";
import { historyName, archivedTimelines } from "../archive/timelines.ts";
import type { Server } from "../database/connection.ts";
import { withClient } from "../database/connection.ts";
import { currentTimeline } from "../database/observe.ts";
import { rowOf } from "../database/query.ts";
import { refuseIfInVain } from "../docker/in-vain.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { Refusal } from "../../settings/refusal.ts";
import { recoveryState, waitForRecovery, type Instance } from "./instance.ts";

/** Milliseconds until a promotion or its history file is given up. */
const patience = 120_000;

/**
 * Ends the recovery where it is paused and waits until the new timeline's history is in the archive: without it the next
 * recovery would take the same number again. Repeatable.
 * @returns the new timeline.
 */
export async function promote(instance: Instance): Promise<number> {
  const { server, container } = instance;
  if ((await recoveryState(server)).recovering) {
    await withClient(server, "postgres", async (client) => {
      const { archiving } = await rowOf(
        client,
        z.object({ archiving: z.string() }),
        "select current_setting('archive_mode') as archiving",
      );
      // Promoted without archiving, the history would never reach the archive.
      if (archiving !== "on") throw new Error("the restored server has archive_mode off");
      await client.query("select pg_wal_replay_resume()");
    });
    const { recovering } = await waitForRecovery(
      server,
      (state) => !state.recovering,
      patience,
      () => refuseIfInVain(container),
    );
    if (recovering) throw new Error("the server did not end its recovery within two minutes");
  }
  await withClient(server, "postgres", async (client) => {
    // Control file and checkpointer take up the new timeline, and with it archive_timeout.
    await client.query("checkpoint");
    await resetRecovery(client);
  });
  return historyArchived(instance);
}

/** Nothing of a recovery that is over stays among the server's settings. Repeatable. */
export async function resetRecovery(client: ClientBase): Promise<void> {
  for (const setting of recoverySettings) await client.query(`alter system reset ${setting}`);
  await client.query("select pg_reload_conf()");
}

const recoverySettings = [
  ...[
    "recovery_target",
    "recovery_target_lsn",
    "recovery_target_time",
    "recovery_target_xid",
    "recovery_target_name",
  ],
  ...["recovery_target_inclusive", "recovery_target_timeline", "recovery_target_action", "restore_command"],
];

/** Waits for the history file of the timeline that a server writes. @returns that timeline. */
export async function historyArchived({ server, container }: Instance): Promise<number> {
  const timeline = await timelineOf(server);
  const end = performance.now() + patience;
  while (performance.now() < end) {
    if ((await archivedTimelines(container)).includes(timeline)) return timeline;
    await sleep(200);
  }
  throw new Refusal({
    code: "ARCHIVE_FAILED",
    found: `${historyName(timeline)} does not reach the archive (${archiveFolder}).`,
    untouched: "The volume that was serving is as it was.",
    next: "Look at the disk of the repository, then run `pulumi up` again.",
  });
}

/** The timeline that a server writes. */
export async function timelineOf(server: Server): Promise<number> {
  const { timeline } = await withClient(server, "postgres", (client) =>
    rowOf(client, z.object({ timeline: z.number() }), `select ${currentTimeline} as timeline`),
  );
  return timeline;
}
