import { hostname, userInfo } from "node:os";
import { z } from "zod";
import type { Server } from "../database/connection.ts";
import type { ServerObservation } from "../database/observe.ts";
import { readJournal, type JournalKey, type RunRecord } from "../journal/journal.ts";
import { hashedSecrets } from "../preflight/checks.ts";
import { releaseRecords, secretHistory } from "../preflight/record.ts";
import { stackLabel } from "../../settings/names.ts";
import type { Settings } from "../../settings/types.ts";
import { applicationName } from "./access.ts";
import type { Change } from "./change.ts";
import type { Desired } from "./desired.ts";
import { runningReleases } from "./change.ts";
import type { FinishedRun, World } from "./world.ts";

const texts = z.record(z.string(), z.string());

/** What a run leaves in the journal for the next one. */
const recorded = z.object({
  effects: z.string(),
  releases: z.record(z.string(), z.object({ images: texts, schema: texts, compatible: texts.optional() })),
  images: texts,
  weights: z.record(z.string(), z.number()),
  containers: texts,
  secrets: z.record(z.string(), z.array(z.string())),
});

/** Whose journal it is: after a recovery, or on another server, old rows say nothing about this state. */
export function journalKey(
  settings: Settings,
  server: Pick<ServerObservation, "systemIdentifier" | "timeline">,
): JournalKey {
  return {
    stack: stackLabel(settings),
    systemIdentifier: server.systemIdentifier,
    timeline: server.timeline,
  };
}

/** The last finished run; undefined when there is none, or its record is of a shape this program does not know. */
export async function readLastRun(
  settings: Settings,
  server: Server,
  database: string,
  observation: ServerObservation,
): Promise<FinishedRun | undefined> {
  const { finished, open } = await readJournal(server, database, journalKey(settings, observation), {
    applicationName: applicationName(settings),
  });
  if (finished === undefined) return undefined;
  const parsed = recorded.safeParse(finished.inputs);
  if (!parsed.success) return undefined;
  const { effects, releases, images, weights, containers, secrets } = parsed.data;
  return {
    run: finished.run,
    revision: finished.revision,
    inputs: effects,
    releases: new Map(Object.entries(releases)),
    images: new Map(Object.entries(images)),
    weights: new Map(Object.entries(weights)),
    containers: new Map(Object.entries(containers)),
    secrets: new Map(Object.entries(secrets)),
    finishedAt: finished.finishedAt,
    overtaken: open !== undefined,
  };
}

/**
 * The journal's row of a run. Releases and images of earlier runs are kept, so that a release that comes back after a
 * while is still known for what it was. `containers`: ids by name as they are now.
 */
export function runRecord(
  settings: Settings,
  { world, desired, change }: { readonly world: World; readonly desired: Desired; readonly change: Change },
  run: {
    readonly revision: string;
    readonly effects: string;
    readonly containers: ReadonlyMap<string, string>;
  },
): RunRecord {
  const before = world.journal;
  return {
    run: run.revision,
    revision: run.revision,
    kind: change.kind,
    inputs: {
      effects: run.effects,
      releases: { ...Object.fromEntries(before?.releases ?? []), ...releaseRecords(settings) } as Record<
        string,
        never
      >,
      images: { ...Object.fromEntries(before?.images ?? []), ...Object.fromEntries(desired.images) },
      weights: liveWeights(settings),
      containers: Object.fromEntries(run.containers),
      secrets: secretHistory(hashedSecrets(settings), before?.secrets ?? new Map()) as Record<string, never>,
    },
    from: {
      releases: runningReleases(world),
      schema: Object.fromEntries([...world.schema].map(([name, { version }]) => [name, version ?? "0"])),
    },
    to: {
      live: liveWeights(settings),
      schema: Object.fromEntries(desired.schema),
    },
    by: `${userInfo().username}@${hostname()}`,
  };
}

function liveWeights({ live }: Settings): Record<string, number> {
  return Object.fromEntries(live.map(({ release, weight }) => [release, weight]));
}
