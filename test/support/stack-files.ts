import { parse, stringify } from "yaml";
import { z } from "zod";

/** Text of a `Pulumi.yaml` for a project whose program lies elsewhere, at the absolute path `program`. Pure. */
export function projectFile(project: string, program: string): string {
  return stringify({
    name: project,
    description: "A scratch stack of the Meal Planner",
    main: program,
    runtime: { name: "nodejs", options: { typescript: false } },
  });
}

const secretsKey = "rollback:secrets";
const stackText = z.looseObject({ config: z.record(z.string(), z.unknown()).optional() });

/**
 * Text of a `Pulumi.<stack>.yaml` with this configuration, and with the salt and the encrypted secrets of `former`, the
 * file as it is now (undefined: there is none). Pure; what Pulumi keeps in the file besides stays as it is.
 */
export function stackFile(config: Readonly<Record<string, unknown>>, former: string | undefined): string {
  const before = stackText.parse(parse(former ?? "") ?? {});
  const secrets = before.config?.[secretsKey];
  return stringify(
    { ...before, config: { ...config, ...(secrets !== undefined && { [secretsKey]: secrets }) } },
    // A release is a number with dots to YAML only when it has two parts; quoted, all look the same.
    { lineWidth: 0 },
  );
}
