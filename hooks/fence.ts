import { closeRoles } from "../operations/database/fence.ts";
import { createRestorePoint } from "../operations/database/restore-point.ts";
import { access } from "../operations/plan/access.ts";
import { drain } from "../operations/traffic/drain.ts";
import { assertStillOurs } from "./claim.ts";
import type { EffectDefinition } from "./effect.ts";
import { holdRequests } from "./hold.ts";

/**
 * Keeps everybody out of what is about to change: requests wait at the door, those in flight finish, and the database
 * closes the roles of what leaves, because cron jobs, workers and pools know nothing of the door.
 */
export const fence: EffectDefinition = {
  name: "fence",
  preview: ({ context, say }) => {
    const { change, settings } = context;
    if (change.hold)
      say(
        `holds requests for at most ${settings.gateway.hold / 1000} s, because ${change.reasons.join(", and ")}`,
      );
  },
  carryOut: async (run) => {
    run.requires("preflight", "backup");
    const { context, say } = run;
    const { change, settings, notes, names } = context;
    if (!change.hold) {
      say(
        change.live
          ? "a live rollback: nobody waits, and nobody is closed in the database"
          : "nothing to fence",
      );
      return;
    }
    const lease = await holdRequests(context);
    const left = await drain(names, settings.gateway.drain, run.status);
    say(
      left === 0
        ? "requests are held; none is in flight any more"
        : `requests are held; ${left} still in flight after the drain are cut off`,
    );
    if (change.closing.length === 0) return;
    // From here on the release that was serving cannot work: a program that dies now must leave a closed gate behind.
    await lease.expireInto("closed");
    await assertStillOurs(context);
    const { changed, ended } = await closeRoles(access(settings), change.closing, context.session);
    notes.closed = changed;
    say(`closed in the database: ${change.closing.join(", ")}; ${ended} sessions ended`);
    const point = await createRestorePoint(access(settings), `fenced-${context.revision}`, context.session);
    notes.restorePoints.push(point.name);
    say(`restore point ${point.name} at ${point.lsn}: no write of theirs comes after it`);
  },
};
