import { z } from "zod";
import { docker } from "../docker/run.ts";
import { environmentOf, type ForeignContainer } from "../takeover/inspect.ts";
import type { ImageDefaults } from "./application.ts";

const texts = z.array(z.string()).nullish();
const inspected = z.array(
  z.object({
    Config: z.object({ Env: texts, Cmd: texts, Entrypoint: texts, User: z.string().default("") }),
  }),
);

/** What the image of a container says by itself. */
export async function imageDefaults({ imageId }: ForeignContainer): Promise<ImageDefaults> {
  const [image] = inspected.parse(JSON.parse(await docker(["image", "inspect", imageId])));
  return {
    environment: environmentOf(image?.Config.Env ?? []),
    command: image?.Config.Cmd ?? [],
    entrypoint: image?.Config.Entrypoint ?? [],
    user: image?.Config.User ?? "",
  };
}
