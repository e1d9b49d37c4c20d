import path from "node:path";
import { z } from "zod";
import { Refusal } from "../settings/refusal.ts";
import { images as exampleImages } from "../examples/meal-planner/images.ts";
import { cacheFolder, contentOf, fingerprint, withLock } from "./cache.ts";
import { attempt, lastLines } from "./command.ts";
import { ensureBase, type BaseImage } from "./base.ts";
import { longStep, say } from "./log.ts";
import { CHECKOUT } from "./machine.ts";

/** An image that is made here from a folder with a Dockerfile. */
export interface ImageSpec {
  /** Name and tag, for example `rollback-postgres:17.1`. */
  readonly tag: string;
  /** Absolute path of the build context. */
  readonly folder: string;
  /** Build arguments besides BASE. */
  readonly buildArgs?: Readonly<Record<string, string>>;
}

/** The label that holds the fingerprint of what an image was made from. */
export const CONTENT_LABEL = "rollback.content";

/** The images every stack needs: the cluster, the two parts of the gateway, the cache. */
export const stackImages: readonly ImageSpec[] = [
  { tag: "rollback-postgres:17.1", folder: path.join(CHECKOUT, "images/postgres") },
  { tag: "rollback-gateway:5", folder: path.join(CHECKOUT, "images/gateway") },
  { tag: "rollback-redis:8", folder: path.join(CHECKOUT, "images/redis") },
];

/** Makes the images of every stack and of the example, where they are not there as their folders want them. */
export async function ensureAllImages(): Promise<void> {
  await ensureImages([...stackImages, ...exampleImages]);
}

/** Makes the images every stack needs. */
export async function ensureStackImages(): Promise<void> {
  await ensureImages(stackImages);
}

/** Makes one image. */
export async function ensureImage(spec: ImageSpec): Promise<void> {
  await ensureImages([spec]);
}

/**
 * Makes those of the images that are missing or were made from other content or on another base; asks Docker once for
 * all of them. A tag is moved only when its new image is complete, and running containers keep the image they have.
 */
export async function ensureImages(specs: readonly ImageSpec[]): Promise<void> {
  const base = await ensureBase();
  if ((await outdated(specs, base)).length === 0) {
    say("images", `${String(specs.length)} up to date`);
    return;
  }
  await withLock(path.join(cacheFolder(), "images.lock"), "images", async () => {
    for (const { spec, label } of await outdated(specs, base)) await build(spec, label);
  });
}

interface Outdated {
  readonly spec: ImageSpec;
  /** The fingerprint the image is to have. */
  readonly label: string;
}

async function outdated(specs: readonly ImageSpec[], base: BaseImage): Promise<Outdated[]> {
  const labels = await labelsOf(specs.map(({ tag }) => tag));
  const wanted = await Promise.all(
    specs.map(async (spec) => ({ spec, label: await contentLabel(spec, base.id) })),
  );
  return wanted.filter(({ spec, label }) => labels.get(spec.tag) !== label);
}

/** What an image is made of, as one short text: its folder, its arguments and its base. */
export async function contentLabel(spec: ImageSpec, baseId: string): Promise<string> {
  const args = Object.entries(spec.buildArgs ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return fingerprint([baseId, JSON.stringify(args), ...(await contentOf(spec.folder))]);
}

const inspected = z.array(
  z.object({
    RepoTags: z.array(z.string()).nullable(),
    Config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }).nullish(),
  }),
);

/** The content label of each of these tags that exists; an image made by other means has the label "". */
async function labelsOf(tags: readonly string[]): Promise<Map<string, string>> {
  // Exits with 1 when one of them is missing, and prints the others all the same.
  const { stdout } = await attempt("docker", ["image", "inspect", ...tags]);
  return labelsIn(stdout);
}

/** Reads the labels from what `docker image inspect` printed. */
export function labelsIn(inspect: string): Map<string, string> {
  const labels = new Map<string, string>();
  if (inspect.trim() === "") return labels;
  for (const image of inspected.parse(JSON.parse(inspect))) {
    const label = image.Config?.Labels?.[CONTENT_LABEL] ?? "";
    for (const tag of image.RepoTags ?? []) labels.set(tag, label);
  }
  return labels;
}

async function build(spec: ImageSpec, label: string): Promise<void> {
  const env = await builder();
  const built = await longStep("images", `building ${spec.tag}`, (note) =>
    attempt("docker", buildCommand(spec, label), { env, note }),
  );
  if (built.ok) return;
  throw new Refusal({
    code: "IMAGE_BUILD",
    found: `building ${spec.tag} from ${spec.folder} failed:\n${lastLines(built.tail, 12)}`,
    untouched: `Where there was a ${spec.tag} before, it is as it was.`,
    next: "If packages could not be fetched, see that containers reach deb.debian.org; then run this again.",
  });
}

/** The docker command that makes an image. The label is added last, so that it does not disturb the layers' cache. */
export function buildCommand(spec: ImageSpec, label: string): string[] {
  const args = Object.entries(spec.buildArgs ?? {}).flatMap(([name, value]) => [
    "--build-arg",
    `${name}=${value}`,
  ]);
  return ["build", "--tag", spec.tag, "--label", `${CONTENT_LABEL}=${label}`, ...args, spec.folder];
}

let chosen: Promise<Record<string, string>> | undefined;

/** Newer clients build with BuildKit, which Debian packages apart; without it the classic builder is asked for. */
function builder(): Promise<Record<string, string>> {
  chosen ??= attempt("docker", ["buildx", "version"]).then(({ ok }): Record<string, string> =>
    ok ? {} : { DOCKER_BUILDKIT: "0" },
  );
  return chosen;
}
