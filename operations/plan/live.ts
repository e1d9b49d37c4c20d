import type { Serving } from "../migrations/live/judge.ts";
import { fitsSchema, type MigrationOrder } from "../../settings/schema.ts";
import { Refusal } from "../../settings/refusal.ts";
import type { Release, Settings } from "../../settings/types.ts";
import { runningReleases, type Change } from "./change.ts";
import type { World } from "./world.ts";

/** Whether it has to be found out if this change can meet requests. */
export function asksForLive({ safety }: Settings, change: Change): boolean {
  return (
    safety.liveRollback !== "off" &&
    change.hold &&
    change.schema.some(({ direction }) => direction === "reverse")
  );
}

/**
 * Who works with the databases while their schemas change, and what they are declared to run on: releases with running
 * containers, by the catalogue or, where a revert took them out of it, by the journal; and the foreign writers, of whom
 * nothing is declared. Pure.
 */
export function servingNow(settings: Settings, world: World, order: MigrationOrder): Serving[] {
  const releases = runningReleases(world).map((name): Serving => {
    const known = settings.releases.get(name) ?? recorded(name, world);
    return {
      name,
      runsOn: (database, version) => known !== undefined && fitsSchema(known, database, version, order),
    };
  });
  const writers = [...settings.databases.values()].flatMap(({ name: own, writers: roles }) =>
    roles.map((role): Serving => ({ name: `writer ${role}`, runsOn: (database) => database !== own })),
  );
  return [...releases, ...writers];
}

/** Throws `ROLLBACK_NOT_LIVE` where nothing but a live rollback is wanted. */
export function checkLive({ safety }: Settings, { notLive }: Change): void {
  if (safety.liveRollback !== "required" || notLive.length === 0) return;
  throw new Refusal({
    code: "ROLLBACK_NOT_LIVE",
    found: `this rollback cannot be done without holding requests:\n${notLive.map((why) => `  ${why}`).join("\n")}`,
    untouched: "Nothing was stopped or changed.",
    next: "Set rollback:safety.liveRollback to wanted, and requests wait; or, where a release that serves really runs on that schema, say so in its `compatible`.",
  });
}

function recorded(name: string, { journal }: World): Pick<Release, "schema" | "compatible"> | undefined {
  const release = journal?.releases.get(name);
  if (release === undefined) return undefined;
  const ranges = Object.entries(release.compatible ?? {}).map(([database, range]) => {
    const [from = range, to = from] = range.split("..");
    return [database, { from, to }] as const;
  });
  return { schema: new Map(Object.entries(release.schema)), compatible: new Map(ranges) };
}
