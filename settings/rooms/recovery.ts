import { z } from "zod";
import { releaseName, volumeName } from "../identifiers.ts";
import { mistake, oneOf, optional, strict, text } from "../shapes.ts";
import type { RecoveryTarget } from "../types.ts";
import { instant } from "../units.ts";

const kinds = "before, restorePoint, time, xid, lsn";

/** How far back; exactly one of five ways to say it. */
export const recoveryTarget = strict(
  {
    before: optional(releaseName),
    restorePoint: optional(text("the name of a restore point, at most 63 characters", /^[^\0]{1,63}$/)),
    time: optional(instant),
    xid: optional(text('a transaction id, such as "740"', /^[1-9]\d{0,19}$/)),
    lsn: optional(text('a position in the WAL, such as "0/16B3748"', /^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/)),
  },
  `a mapping with exactly one of ${kinds}`,
).transform((given, context): RecoveryTarget => {
  const targets: RecoveryTarget[] = [
    ...(given.before === undefined ? [] : [{ kind: "before", release: given.before } as const]),
    ...(given.restorePoint === undefined
      ? []
      : [{ kind: "restorePoint", name: given.restorePoint } as const]),
    ...(given.time === undefined ? [] : [{ kind: "time", time: given.time } as const]),
    ...(given.xid === undefined ? [] : [{ kind: "xid", xid: given.xid } as const]),
    ...(given.lsn === undefined ? [] : [{ kind: "lsn", lsn: given.lsn } as const]),
  ];
  const [only, ...others] = targets;
  if (only !== undefined && others.length === 0) return only;
  const found = only === undefined ? "no target" : targets.map(({ kind }) => kind).join(" and ");
  mistake(context, [], `found ${found}; allowed: exactly one of ${kinds}`);
  return z.NEVER;
});

/** Going back in time, into a new volume beside the one in use. */
export const recovery = strict({
  volume: volumeName,
  from: volumeName,
  target: recoveryTarget,
  laterWrites: optional(oneOf(["keep", "drop"])),
}).superRefine(({ volume, from }, context) => {
  if (volume === from)
    mistake(
      context,
      ["volume"],
      `found "${volume}", which is \`from\`; a recovery never writes over the volume it reads`,
    );
});
