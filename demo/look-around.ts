import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { removeStack } from "../test/support/stack-docker.ts";
import type { ScratchStack } from "../test/support/stack.ts";
import { Refusal } from "../settings/refusal.ts";

const kept = z.object({ label: z.string(), volumes: z.array(z.string()) });
const note = "kept.json";

/** Leaves a note in the stack's folder, by which `--remove` knows later what belongs to it; returns what to type until then. */
export async function keep(stack: ScratchStack): Promise<string> {
  const { folder, label, volumes, env, names, url, file } = stack;
  await writeFile(path.join(folder, note), JSON.stringify({ label, volumes: Object.values(volumes) }));
  return [
    `The stack is still there. To look around in it, in a shell in this checkout:`,
    ``,
    `  eval "$(npm run --silent setup -- --env)"`,
    ...Object.entries(env).map(([name, value]) => `  export ${name}='${value}'`),
    `  cd ${path.dirname(file)}`,
    ``,
    `  git log -p                                  # what was deployed and taken back`,
    `  pulumi stack                                # what there is`,
    `  pulumi up                                   # finds nothing to do; edit ${path.basename(file)} and try again`,
    `  curl -i ${url}/api/logs`,
    `  docker ps --filter label=rollback.stack=${label}`,
    `  docker exec -it ${names.postgres} psql -U postgres meal_planner`,
    `  docker exec ${names.postgres} ls -lR /var/lib/dumps`,
    ``,
    `To remove it:  npm run demo -- --remove ${folder}`,
  ].join("\n");
}

/** Removes a stack that was kept, with its folder. */
export async function remove(folder: string): Promise<void> {
  const text = await readFile(path.join(folder, note), "utf8").catch((cause: unknown) => {
    throw new Refusal({
      code: "DEMO_NOT_KEPT",
      found: `${folder} is not the folder of a stack that the demo has kept.`,
      untouched: "Nothing was removed.",
      next: "Give the folder that `npm run demo -- --keep` has named.",
      cause,
    });
  });
  const { label, volumes } = kept.parse(JSON.parse(text));
  await removeStack(label, volumes);
  await rm(folder, { recursive: true, force: true });
}
