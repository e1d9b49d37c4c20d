import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { parseSettings } from "../settings/parse.ts";
import type { Settings } from "../settings/types.ts";

/** Reads the stack configuration once and turns it into typed settings, or refuses with every mistake in it. */
export function loadSettings(): Settings {
  const namespace = "rollback:";
  const all = pulumi.runtime.allConfig();
  const values = Object.fromEntries(
    Object.entries(all)
      .filter(([key]) => key.startsWith(namespace))
      .map(([key, value]) => [key.slice(namespace.length), value]),
  );
  return parseSettings({
    project: pulumi.getProject(),
    stack: pulumi.getStack(),
    values,
    secretKeys: secretKeys(namespace),
    folder: pulumi.getRootDirectory(),
  });
}

/** Keys that the engine keeps as secrets; it tells the program by this variable and by no function of its SDK. */
function secretKeys(namespace: string): string[] {
  const keys = z.array(z.string()).parse(JSON.parse(process.env["PULUMI_CONFIG_SECRET_KEYS"] ?? "[]"));
  return keys.filter((key) => key.startsWith(namespace)).map((key) => key.slice(namespace.length));
}

const stackOutputs = z.object({ outputs: z.object({ initialised: z.boolean().optional() }) });

/**
 * Whether a run of this stack has succeeded before; read from the stack's own last outputs. Not by a StackReference,
 * which is a resource with those outputs in the state, so that `pulumi refresh` would find a change after every `up`.
 */
export async function wasInitialised(): Promise<boolean> {
  const name = `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
  const answer: unknown = await pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", { name });
  return stackOutputs.parse(answer).outputs.initialised === true;
}
