import type { RecoveryTarget } from "../../../settings/types.ts";

/** A target as it can be typed again. */
export function describeRecoveryTarget(target: RecoveryTarget): string {
  switch (target.kind) {
    case "before":
      return `before=${target.release}`;
    case "restorePoint":
      return `restorePoint=${target.name}`;
    case "time":
      return `time=${target.time}`;
    case "xid":
      return `xid=${target.xid}`;
    case "lsn":
      return `lsn=${target.lsn}`;
  }
}
