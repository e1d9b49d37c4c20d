import type { Check } from "../verification/report.ts";
import type { WayBackFacts } from "../decide/facts.ts";

/** What the monitor saw at one look. */
export interface Look {
  /** The newest run of the stack, finished or not: what a way back is gone for, once. */
  readonly run: string;
  /** Kind of the last finished run, e.g. `rollback`. */
  readonly kind: string;
  /** Why a way back is pending; undefined: none is. */
  readonly pending: string | undefined;
  /** The router's measurements by release, held against the thresholds. */
  readonly checks: readonly Check[];
  /** Weights to go back to; undefined: nothing is on record, or it left the catalogue. */
  readonly target: ReadonlyMap<string, number> | undefined;
  /** Weights of the stack file. */
  readonly live: ReadonlyMap<string, number>;
  readonly back: WayBackFacts | undefined;
  /** A way back has been tried for this run. */
  readonly tried: boolean;
  /** Why WAL does not reach the archive, and how long that can last; undefined: it does, or there is none. */
  readonly archive: string | undefined;
  /** Which record of changes (`cluster.backup.changes`) was given up; undefined: none. */
  readonly changes: string | undefined;
}

/** `about` names the trouble without its figures, which are others at each look. */
export type Verdict =
  | { readonly kind: "well" }
  /** No release is at fault, and going back would mend nothing. */
  | { readonly kind: "tell"; readonly about: string; readonly reason: string }
  | {
      readonly kind: "go back";
      readonly about: string;
      readonly reason: string;
      readonly to: ReadonlyMap<string, number>;
    }
  | { readonly kind: "alert"; readonly about: string; readonly reason: string; readonly because: string };

/** Pure: goes back once, never from a rollback, and never where that is refused or takes data out of service. */
export function verdictOn(look: Look): Verdict {
  const bad = look.checks.filter(({ wrong }) => wrong.length > 0);
  const reason =
    look.pending ?? bad.map(({ what, found, wrong }) => `${what}: ${found}: ${wrong.join(", ")}`).join("; ");
  if (reason === "" && look.archive !== undefined)
    return { kind: "tell", about: "the archive fails", reason: look.archive };
  if (reason === "" && look.changes !== undefined)
    return { kind: "tell", about: "changes are not kept", reason: look.changes };
  if (reason === "") return { kind: "well" };
  const about = look.pending ?? bad.map(({ what, wrong }) => `${what}: ${wrong.join(", ")}`).join("; ");
  const against = objection(look);
  return against === undefined && look.target !== undefined
    ? { kind: "go back", about, reason, to: look.target }
    : { kind: "alert", about, reason, because: against ?? "there is nothing to go back to" };
}

function objection({ tried, pending, kind, target, live, back }: Look): string | undefined {
  if (tried) return "a way back was tried for this run already";
  if (pending === undefined && kind === "rollback") return "the last run was a rollback itself";
  if (target === undefined || back === undefined) return "there is nothing on record to go back to";
  if (live.size === target.size && [...target].every(([release, weight]) => live.get(release) === weight))
    return "what it would go back to is in the stack file already, and was not proven";
  if (back.refused !== undefined) return `it would be refused: ${back.refused}`;
  if (back.archived.length > 0) return `it would take data out of service: ${back.archived.join(", ")}`;
  return undefined;
}
