import { stackLabel } from "../../settings/names.ts";
import { Refusal } from "../../settings/refusal.ts";
import type { Settings } from "../../settings/types.ts";
import { withClient, type Say } from "../database/connection.ts";
import { lockHolder, withLock } from "../lock.ts";
import { access } from "../plan/access.ts";

/** Who resets. What an `up` left behind may be ended by the next one, as the engine lets one at a time; a command at work may not. */
interface Resetter {
  readonly settings: Settings;
  readonly run: string;
  readonly by: "up" | "command";
  readonly say: Say;
}

const purposes = { up: "reset", command: "reset-command" };

/** Runs `work` under the stack's lock, so that two resets never meet. Refuses `RUN_IN_PROGRESS` and `LOCK_LOST`. */
export function underLock<T>(
  { settings, run, by, say }: Resetter,
  work: (assertHeld: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const lock = { stack: stackLabel(settings), run, purpose: purposes[by], takeOver: by === "up", say };
  return withLock(access(settings), lock, ({ assertHeld }) => work(assertHeld));
}

/** Refuses an `up` while `rollback reset` is at work: what it wrote would be left behind. */
export async function refuseDuringCommand(settings: Settings): Promise<void> {
  const stack = stackLabel(settings);
  const holder = await withClient(access(settings), "postgres", (client) => lockHolder(client, stack));
  if (holder?.application?.endsWith(` ${purposes.command}`) !== true) return;
  throw new Refusal({
    code: "RUN_IN_PROGRESS",
    found: `\`rollback reset\` is at work on ${stack} since ${holder.since} (pid ${holder.pid} of the server).`,
    untouched: "Nothing was changed.",
    next: "Wait until it is done, then `pulumi up`.",
  });
}
