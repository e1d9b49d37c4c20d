import type { Settings } from "../../settings/types.ts";
import { Refusal } from "../../settings/refusal.ts";
import type { Desired } from "../plan/desired.ts";
import type { World } from "../plan/world.ts";

/** A service whose requests would go to fewer containers than now. */
export interface MissingCapacity {
  readonly service: string;
  /** The release that has the most containers with traffic now, and how many of them run. */
  readonly leaving: { readonly release: string; readonly containers: number };
  /** The live release that would have the fewest. */
  readonly arriving: { readonly release: string; readonly containers: number };
}

/**
 * Where a release that shall take traffic has fewer containers than the release that has it now: a pool that was sized for
 * less, as an older stack file puts it back, would be overrun. Counted by release and not in sum, since a canary runs two
 * pools for a while. Nothing is missing where the same releases stay live: that is a pool made smaller on purpose.
 */
export function missingCapacity(settings: Settings, world: World, desired: Desired): MissingCapacity[] {
  const weights = world.journal?.overtaken === false ? world.journal.weights : undefined;
  const arrives = ({ release }: { readonly release: string }) => weights?.has(release) !== true;
  if (!settings.live.some(arrives)) return [];
  return [...settings.services.keys()].flatMap((service) => {
    const serving = count(
      world.containers.flatMap(({ running, labels }) => {
        const release = labels.get("release") ?? "";
        const serves = running && labels.get("service") === service && weights?.has(release) !== false;
        return serves ? [release] : [];
      }),
    );
    const wanted = count(
      desired.containers
        .filter((each) => each.service === service && each.weight > 0 && each.started)
        .map(({ release }) => release),
    );
    const [leaving] = [...serving].toSorted(([, one], [, other]) => other - one);
    const [arriving] = [...wanted].toSorted(([, one], [, other]) => one - other);
    if (leaving === undefined || arriving === undefined || arriving[1] >= leaving[1]) return [];
    return [{ service, leaving: pool(leaving), arriving: pool(arriving) }];
  });
}

/** What is missing, in words; one line a service. */
export function describeCapacity(missing: readonly MissingCapacity[]): string[] {
  return missing.map(
    ({ service, leaving, arriving }) =>
      `${service}: ${leaving.containers} containers of ${leaving.release} take its requests, ${arriving.release} would have ${arriving.containers}`,
  );
}

/** Throws the Refusal `CAPACITY_MISSING` where that was not asked for. */
export function checkCapacity({ safety }: Settings, missing: readonly MissingCapacity[]): void {
  if (missing.length === 0 || safety.capacity === "warn") return;
  throw new Refusal({
    code: "CAPACITY_MISSING",
    found: `${describeCapacity(missing).join("; ")}.`,
    untouched: "Nothing was stopped or started.",
    next: [
      ...missing.map(
        ({ service, leaving }) =>
          `Set rollback:services.${service}.replicas to ${leaving.containers}, or more.`,
      ),
      "If fewer are enough:  rollback:safety: { capacity: warn }",
    ].join("\n"),
  });
}

function count(releases: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const release of releases) counts.set(release, (counts.get(release) ?? 0) + 1);
  return counts;
}

function pool([release, containers]: readonly [string, number]): {
  readonly release: string;
  readonly containers: number;
} {
  return { release, containers };
}
