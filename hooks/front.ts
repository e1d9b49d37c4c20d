import { assertFrontAnswers, installFront } from "../operations/traffic/front.ts";
import type { RunContext } from "./context.ts";
import type { EffectDefinition } from "./effect.ts";

/** An nginx of the user's gets the stack's file, tested, reloaded and proven; without a difference it is left alone. */
export const front: EffectDefinition = {
  name: "front",
  preview: ({ context, say }) => {
    const { front: wanted, world } = context;
    if (wanted === undefined || world.gateway.front?.file === wanted.text) return;
    say(`writes ${wanted.file} and reloads the existing nginx: ${wanted.reload.join(" ")}`);
  },
  carryOut: async (run) => {
    run.requires("preflight");
    const { front: wanted } = run.context;
    if (wanted === undefined) return;
    const done = await installFront(wanted);
    if (done === "applied") run.say(`the existing nginx passes requests on to the stack (${wanted.file})`);
  },
};

/** After a switch behind it: whether requests reach what was switched. */
export async function assertReached({ front: wanted, settings }: RunContext): Promise<void> {
  if (wanted === undefined) return;
  const live = settings.live.map(({ release }) => release).join(", ");
  await assertFrontAnswers(
    wanted,
    `Behind it the traffic has been switched: ${live} serves as soon as it answers.`,
  );
}
