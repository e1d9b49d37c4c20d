import { Refusal } from "../../settings/refusal.ts";
import { docker } from "../docker/run.ts";
import { deviceOf } from "../takeover/observe.ts";

/** Lays a volume over a folder of this machine, whose files stay where they are. Nothing to do when it is there. */
export async function makeBindVolume({ volume, folder }: { volume: string; folder: string }): Promise<void> {
  const options = [`type=none`, `o=bind`, `device=${folder}`].flatMap((option) => ["--opt", option]);
  await docker(["volume", "create", ...options, volume]);
  const device = await deviceOf(volume);
  if (device === folder) return;
  throw new Refusal({
    code: "INIT_VOLUME",
    found: `a volume ${volume} exists and lies over ${device ?? "a place of its own"}, not over ${folder}.`,
    untouched: "Nothing was written.",
    next: `Look whose it is:  docker volume inspect ${volume}`,
  });
}
