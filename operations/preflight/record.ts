import type { Settings } from "../../settings/types.ts";
import { Refusal } from "../../settings/refusal.ts";

/** A release as it is recorded. Images and schema are those of its first deployment and must stay. */
export interface RecordedRelease {
  readonly images: Readonly<Record<string, string>>;
  readonly schema: Readonly<Record<string, string>>;
  /** Ranges such as `22..23` of other versions that it was last declared to run on; not in records of older programs. */
  readonly compatible?: Readonly<Record<string, string>> | undefined;
}

/** The immutable part of each live and standby release, to be recorded. */
export function releaseRecords(settings: Settings): Record<string, RecordedRelease> {
  return recordsOf(settings, [...settings.live.map(({ release }) => release), ...settings.standby]);
}

function recordsOf(settings: Settings, names: Iterable<string>): Record<string, RecordedRelease> {
  return Object.fromEntries(
    [...names].flatMap((name) => {
      const release = settings.releases.get(name);
      if (release === undefined) return [];
      const images = [...release.services].map(([service, { image, digest }]) => [
        service,
        digest === undefined ? image : `${image}@${digest}`,
      ]);
      return [
        [
          name,
          {
            images: Object.fromEntries(images) as Record<string, string>,
            schema: Object.fromEntries(release.schema),
            compatible: Object.fromEntries(
              [...release.compatible].map(([database, { from, to }]) => [database, `${from}..${to}`]),
            ),
          },
        ] as const,
      ];
    }),
  );
}

/** Throws a Refusal `RELEASE_CHANGED` when image or schema of any release differ from what was deployed under its name. */
export function checkImmutable(settings: Settings, recorded: ReadonlyMap<string, RecordedRelease>): void {
  for (const [name, now] of Object.entries(recordsOf(settings, settings.releases.keys()))) {
    const before = recorded.get(name);
    if (before === undefined) continue;
    const changes = [
      ...changed("image of", before.images, now.images),
      ...changed("schema of", before.schema, now.schema),
    ];
    if (changes.length === 0) continue;
    throw new Refusal({
      code: "RELEASE_CHANGED",
      found: `release ${name} was deployed before with something else under this name: ${changes.join("; ")}.`,
      untouched: "Nothing was changed.",
      next: `Give the new content a new release name, or put rollback:releases."${name}" back as it was.`,
    });
  }
}

function changed(
  what: string,
  before: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): string[] {
  return Object.entries(now).flatMap(([key, value]) => {
    const old = before[key];
    return old === undefined || old === value ? [] : [`${what} ${key} was ${old} and is now ${value}`];
  });
}

/**
 * Throws a Refusal `SECRET_REVERTED` when a secret has gone back to a value that was replaced earlier: a plain revert of
 * the whole stack file does that, and would lock the application out. Values are compared by keyed hash only.
 */
export function checkSecrets(
  hashes: ReadonlyMap<string, string>,
  history: ReadonlyMap<string, readonly string[]>,
): void {
  for (const [name, hash] of hashes) {
    const known = history.get(name) ?? [];
    if (!known.includes(hash) || known.at(-1) === hash) continue;
    throw new Refusal({
      code: "SECRET_REVERTED",
      found: `rollback:secrets.${name} has a value again that was replaced by a newer one.`,
      untouched: "Nothing was changed.",
      next: `Keep today's secrets when you put a configuration back:  pulumi config set --secret --path 'rollback:secrets.${name}'`,
    });
  }
}

/** The history with today's hashes added where they are new. */
export function secretHistory(
  hashes: ReadonlyMap<string, string>,
  history: ReadonlyMap<string, readonly string[]>,
): Record<string, readonly string[]> {
  const all = new Map(history);
  for (const [name, hash] of hashes) {
    const known = all.get(name) ?? [];
    if (known.at(-1) !== hash) all.set(name, [...known, hash]);
  }
  return Object.fromEntries(all);
}
