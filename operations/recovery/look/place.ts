import { z } from "zod";
import { dataFolder } from "../../../settings/archive.ts";
import { stackLabels, stackNames } from "../../../settings/stack-names.ts";
import type { OwnCluster, Settings } from "../../../settings/types.ts";
import { isRunning, volumeExists } from "../../docker/observe.ts";
import { docker, isMissing } from "../../docker/run.ts";
import { oldFolder, repositoryMount } from "../reader.ts";

/** What a private instance is for; each has its own container and volume, so that none moves under another. */
export type Purpose = "look" | "find" | "copy";

/** Whose instance, and which. */
export interface LookPlace {
  readonly settings: Settings;
  readonly cluster: OwnCluster;
  readonly purpose: Purpose;
}

/** Name of the instance's container and of its volume. */
export function lookName({ settings, purpose }: Pick<LookPlace, "settings" | "purpose">): string {
  return stackNames(settings).volume(purpose);
}

/**
 * Given to the server on its command line, which beats whatever was restored: it archives nothing even if somebody promotes it,
 * listens to nobody outside its container, takes no more memory than it needs, and waits for no lock.
 */
const serverArguments = [
  ...["archive_mode=off", "listen_addresses=", "shared_buffers=128MB", "huge_pages=off"],
  // A table can be held by a transaction that was under way then, and that never ends here.
  "lock_timeout=5s",
];

/**
 * Arguments of `docker run`; pure. No network; archive and volume in use read-only. `serve` false: waits for commands.
 */
export function lookArguments(place: LookPlace, from: string, serve: boolean): string[] {
  const { settings, cluster, purpose } = place;
  const name = lookName(place);
  return [
    ...["run", "-d", "--name", name, "--network", "none", "--init", "--stop-signal", "SIGINT"],
    ...["--shm-size", "256m"],
    ...Object.entries(stackLabels(settings, purpose)).flatMap(([key, value]) => [
      "--label",
      `${key}=${value}`,
    ]),
    ...["-v", `${name}:${dataFolder}`, "-v", `${from}:${oldFolder}:ro`],
    ...[...repositoryMount(cluster.backup.repository, "ro"), cluster.image],
    ...(serve ? serverArguments.flatMap((each) => ["-c", each]) : ["sleep", "86400"]),
  ];
}

/** Makes the instance's container anew. */
export async function runLook(place: LookPlace, from: string, serve: boolean): Promise<void> {
  await removeContainer(place);
  await docker(lookArguments(place, from, serve));
}

/** Makes the volume; nothing to do when it is there. */
export async function makeVolume(place: LookPlace): Promise<void> {
  const labels = Object.entries(stackLabels(place.settings, "volume", { volume: place.purpose }));
  await docker([
    ...["volume", "create", ...labels.flatMap(([key, value]) => ["--label", `${key}=${value}`])],
    lookName(place),
  ]);
}

/** Removes container and volume. @returns whether there was anything. */
export async function removeLook(place: LookPlace): Promise<boolean> {
  const name = lookName(place);
  const container = await docker(["ps", "-aq", "--filter", `name=^/?${name}$`]);
  await removeContainer(place);
  if (!(await volumeExists(name))) return container !== "";
  await docker(["volume", "rm", name]);
  return true;
}

async function removeContainer(place: LookPlace): Promise<void> {
  try {
    await docker(["rm", "-f", "-v", lookName(place)]);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** What the volume is meant to hold. Written before it is restored further, so that it is never behind what the volume holds. */
const markSchema = z.object({
  timeline: z.number(),
  lsn: z.string(),
  inclusive: z.boolean(),
  /** The target as the person named it. */
  asked: z.string(),
});
export type LookMark = z.output<typeof markSchema>;

const markFile = `${dataFolder}/rollback-look.json`;

/** The mark of the instance; undefined: there is none, or its restore was never finished. */
export async function readLookMark(place: LookPlace): Promise<LookMark | undefined> {
  const name = lookName(place);
  if (!(await volumeExists(name))) return undefined;
  const read = ["sh", "-c", `cat ${markFile} 2>/dev/null || true`];
  const inside = ["run", "--rm", "--network", "none", "-v", `${name}:${dataFolder}:ro`, place.cluster.image];
  const text = await docker([...((await isRunning(name)) ? ["exec", name] : inside), ...read]);
  if (text === "") return undefined;
  const parsed = markSchema.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data : undefined;
}

/** Writes the mark in a running container of the instance. */
export async function writeLookMark(place: LookPlace, mark: LookMark): Promise<void> {
  const script = `cat > ${markFile}.new && mv ${markFile}.new ${markFile}`;
  await docker(["exec", "-i", "-u", "postgres", lookName(place), "sh", "-c", script], {
    input: JSON.stringify(mark),
  });
}
