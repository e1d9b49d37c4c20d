import { z } from "zod";
import { dataFolder } from "../../settings/archive.ts";
import { docker } from "../docker/run.ts";
import { writePrivate } from "../archive/pgbackrest.ts";

/** How far a recovery on a volume has come, or that it was rebuilt; lies in the data directory, never in a base backup. */
const markSchema = z.object({
  /** `project/stack`. */
  stack: z.string(),
  /** `RecoveryPlan.id`. */
  plan: z.string(),
  /** `served`: it was switched to, and holds what users have written since. */
  state: z.enum(["begun", "promoted", "served"]),
  /** Volume of a server that did not start any more and was put together again here, up to its last transaction. */
  rebuiltFrom: z.string().optional(),
});
export type RecoveryMark = z.output<typeof markSchema>;

const file = `${dataFolder}/rollback-recovery.json`;

/**
 * Shell that prints whether a restore of a base backup into the data directory `$1` was cut short: pgBackRest lays down its manifest
 * first and the control file last. Nobody can ever have served from such a directory.
 */
export const restoringScript =
  'test -e "$1/backup.manifest" && ! test -e "$1/global/pg_control" && echo restoring || echo -';

/** Number of entries of the data directory, the mark if there is one, and whether it is a restore that was cut short. */
export async function readMark(container: string): Promise<{
  readonly files: number;
  readonly mark: RecoveryMark | undefined;
  readonly restoring: boolean;
}> {
  const script = `find "$1" -mindepth 1 -maxdepth 1 | wc -l; ${restoringScript}; cat "$2" 2>/dev/null || true`;
  const printed = await docker([
    "exec",
    "-u",
    "postgres",
    container,
    "sh",
    "-c",
    script,
    "sh",
    dataFolder,
    file,
  ]);
  const [count = "0", restoring, ...rest] = printed.split("\n");
  return {
    files: Number(count),
    mark: parseMark(rest.join("\n")),
    restoring: restoring === "restoring",
  };
}

/** Undefined: there is none, or it was cut short by a kill. Pure. */
export function parseMark(text: string): RecoveryMark | undefined {
  try {
    const parsed = markSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export async function writeMark(container: string, mark: RecoveryMark): Promise<void> {
  await writePrivate(container, file, `${JSON.stringify(mark)}\n`);
}
