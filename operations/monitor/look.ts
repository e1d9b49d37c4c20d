import { measureWayBack } from "../decide/facts.ts";
import { describeWaiting, measureWaiting } from "../archive/waiting.ts";
import { withClient } from "../database/connection.ts";
import { docker } from "../docker/run.ts";
import { heaviestOf, pastRuns } from "../journal/history.ts";
import { readJournal } from "../journal/journal.ts";
import { access, applicationName } from "../plan/access.ts";
import { observeWorld } from "../plan/observe.ts";
import { unarchived } from "../plan/drift.ts";
import { journalKey } from "../plan/record.ts";
import { lostChanges } from "../recovery/slot/keep.ts";
import { attemptsOf, judgeAttempts, type Attempt } from "../verification/bake.ts";
import { stackLabel } from "../../settings/names.ts";
import { stackNames } from "../../settings/stack-names.ts";
import type { Settings } from "../../settings/types.ts";
import { wasTried } from "./once.ts";
import type { Look } from "./verdict.ts";

/** Fewer attempts of a release say nothing about it. */
const enough = 50;

/**
 * One look at the stack: the router's measurements of the last `seconds`, but none older than the last finished run, and
 * whether a way back is pending. Undefined: PostgreSQL does not answer, or nothing was ever finished.
 */
export async function lookAt(
  settings: Settings,
  seconds: number,
  say: (line: string) => void,
): Promise<{ readonly look: Look; readonly attempts: readonly Attempt[] } | undefined> {
  const { world } = await observeWorld(settings, true, { update: false, say });
  const [first] = settings.databases.keys();
  if (!world.server.answers || first === undefined || world.journal === undefined) return undefined;
  const session = { applicationName: applicationName(settings) };
  const server = access(settings);
  const journal = await readJournal(server, first, journalKey(settings, world.server.observation), session);
  const { finished, open, wayBack } = journal;
  if (finished === undefined) return undefined;
  const since = new Date(Math.max(Date.now() - seconds * 1000, Date.parse(finished.finishedAt)));
  const { router, postgres } = stackNames(settings);
  const log = await docker(["logs", "--since", since.toISOString(), router], { timeoutMs: 60_000 });
  const attempts = attemptsOf(log);
  const judged = settings.live
    .map(({ release }) => release)
    .filter((release) => attempts.filter((attempt) => attempt.release === release).length >= enough);
  const runs = await withClient(server, first, (client) => pastRuns(client, stackLabel(settings)), session);
  const now = settings.live[0]?.release;
  const before = runs.find((run) => heaviestOf(run) !== now)?.live;
  const target = wayBack === undefined ? before : world.journal.weights;
  const known =
    target !== undefined &&
    target.size > 0 &&
    [...target.keys()].every((name) => settings.releases.has(name));
  const release = target === undefined ? undefined : heaviestOf({ live: target });
  const run = open?.run ?? finished.run;
  const segment = unarchived(settings, world);
  const given = lostChanges(settings, world.server.observation.slots, [...settings.databases.keys()]);
  return {
    attempts,
    look: {
      run,
      kind: finished.kind,
      pending: wayBack?.reason,
      checks: judgeAttempts(attempts, judged, settings.safety),
      target: known ? target : undefined,
      live: new Map(settings.live.map(({ release: name, weight }) => [name, weight])),
      back:
        known && release !== undefined && now !== undefined
          ? await measureWayBack(settings, world, now, release)
          : undefined,
      tried: await wasTried(server, first, run, session),
      archive:
        segment === undefined
          ? undefined
          : `${segment} of the WAL cannot be archived. ${describeWaiting(await measureWaiting(postgres, server))}`,
      changes:
        given.length === 0
          ? undefined
          : `${given.join("; ")}. Nothing of the data is lost; the next \`pulumi up\` begins the record anew`,
    },
  };
}
