import { observeImages } from "../docker/observe.ts";
import { docker, DockerFailure } from "../docker/run.ts";
import { gatewayImage } from "../traffic/plan.ts";
import { Refusal } from "../../settings/refusal.ts";
import type { ReleaseService, Settings } from "../../settings/types.ts";

/** One image a release needs. */
export interface NeededImage {
  /** `service/release` */
  readonly key: string;
  /** What to look for, best first. */
  readonly references: readonly string[];
  /** What to pull when none is here. */
  readonly pull: string;
}

/**
 * What each live and standby release needs, pure. `pinned` are the image ids of earlier runs: a release's image is
 * immutable, so a tag that has moved since does not move the release.
 */
export function neededImages(settings: Settings, pinned: ReadonlyMap<string, string>): NeededImage[] {
  const releases = [...settings.live.map(({ release }) => release), ...settings.standby];
  return releases.flatMap((release) =>
    inContainers(settings, release).map(([service, entry]) => {
      const key = `${service}/${release}`;
      const known = pinned.get(key);
      return { key, references: references(entry, known), pull: withDigest(entry) };
    }),
  );
}

/** What a release runs in containers; a native service has no image. */
function inContainers({ releases, services }: Settings, release: string): [string, ReleaseService][] {
  return [...(releases.get(release)?.services ?? [])].filter(
    ([service]) => services.get(service)?.native === undefined,
  );
}

function references(entry: ReleaseService, known: string | undefined): string[] {
  // A digest is either a local image id or a repository digest; nobody can tell from its text.
  const exact = entry.digest === undefined ? [] : [entry.digest, withDigest(entry)];
  if (exact.length > 0) return exact;
  return known === undefined ? [entry.image] : [known, entry.image];
}

function withDigest({ image, digest }: ReleaseService): string {
  if (digest === undefined) return image;
  const repository = image.replace(/:[^/:]*$/, "");
  return `${repository}@${digest}`;
}

/** What the stack itself runs on. */
export function partImages({ cluster, caches, services }: Settings): NeededImage[] {
  const images = new Map([
    ["postgres", cluster.image],
    ["gateway", gatewayImage],
    ...[...caches.values()].map(({ name, image }) => [name, image] as const),
    ...[...services.values()].flatMap(({ name, smokeScript }) =>
      smokeScript?.image === undefined ? [] : [[`smoke script of ${name}`, smokeScript.image] as const],
    ),
  ]);
  return [...images].map(([part, image]) => ({
    key: `${part} of the stack`,
    references: [image],
    pull: image,
  }));
}

/** Local image ids by key; needed images that are not here are left out. */
export async function localImages(needed: readonly NeededImage[]): Promise<Map<string, string>> {
  const found = await observeImages(needed.flatMap(({ references }) => references));
  return new Map(
    needed.flatMap(({ key, references }) => {
      const id = references.map((reference) => found.get(reference)).find((each) => each !== undefined);
      return id === undefined ? [] : [[key, id] as const];
    }),
  );
}

/**
 * Gets what is missing from its registry before anything stops.
 * Throws a Refusal `IMAGE_GONE` that names every image that is neither here nor to be had.
 */
export async function pullMissing(
  missing: readonly NeededImage[],
  say: (line: string) => void,
): Promise<void> {
  const gone: string[] = [];
  for (const { key, pull } of missing) {
    say(`image ${pull} of ${key} is not here: pulling it`);
    try {
      await docker(["pull", "--quiet", pull], { timeoutMs: 15 * 60_000 });
    } catch (error) {
      if (!(error instanceof DockerFailure)) throw error;
      gone.push(
        `${pull} (${key.replace("/", " of release ")}): ${error.stderr.split("\n").at(-1) ?? "pull failed"}`,
      );
    }
  }
  if (gone.length === 0) return;
  throw new Refusal({
    code: "IMAGE_GONE",
    found: `${gone.length === 1 ? "an image is" : `${gone.length} images are`} neither on this machine nor to be pulled: ${gone.join("; ")}`,
    untouched: "Nothing was stopped; what was serving still serves.",
    next: "Build or load the image under that tag (`npm run setup` makes those named rollback-…), then run `pulumi up` again.",
  });
}
