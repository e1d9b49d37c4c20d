import { Refusal } from "../../settings/refusal.ts";
import { emptyVersion, standingOf } from "./plan.ts";
import type { DatabaseRequest, Way } from "./plan.ts";
import { position } from "./order.ts";

/**
 * Where a database is to go. `steps` counts migrations, back when negative; `release` is the newest version that the ledger
 * holds for that release; `newest` is the last of the folder. There is no way to say "everything back" but version `0` (`none` where a migration
 * is numbered 0).
 */
export type Target =
  | { readonly version: string }
  | { readonly steps: number }
  | { readonly release: string }
  | { readonly newest: true };

/** A request whose version is still to be found. */
export type Open = Omit<DatabaseRequest, "wanted" | "owner">;

/**
 * The version that a target means, as things stand. A `version` is given back as it is: planning tells whether it exists.
 * Throws Refusals `SCHEMA_TARGET` (fewer migrations than steps; nothing to apply) and `SCHEMA_RELEASE_UNKNOWN`.
 */
export function versionOf(target: Target, request: Open): string {
  if ("version" in target) return target.version;
  const { database } = request.observed;
  const { order, applied } = standingOf(request);
  const head = applied.at(-1);
  const empty = emptyVersion(order);
  if ("newest" in target) return order.at(-1) ?? empty;
  if ("release" in target) return ofRelease(target.release, request, applied);
  if (target.steps < 0) {
    const stays = applied.length + target.steps;
    if (stays < 0) throw tooFew(database, -target.steps, applied.length, "applied");
    return applied[stays - 1] ?? empty;
  }
  const done = new Set(applied);
  const from = request.reader.outOfOrder || head === undefined ? 0 : position(order, head) + 1;
  const pending = order.slice(from).filter((version) => !done.has(version));
  if (pending.length < target.steps) throw tooFew(database, target.steps, pending.length, "pending");
  return target.steps === 0 ? (head ?? empty) : (pending[target.steps - 1] ?? empty);
}

/**
 * The way that leads to a version; `asked` is the way that was typed. Throws Refusal `SCHEMA_DIRECTION` when the version
 * lies the other way.
 */
export function wayTo(wanted: string, asked: Way | undefined, request: Open): Way {
  const { order, applied } = standingOf(request);
  const [to, head] = [
    position(order, request.reader.normalise(wanted) ?? wanted),
    position(order, applied.at(-1) ?? ""),
  ];
  const late = order.some((version, at) => at <= to && !applied.includes(version));
  const way = to < head ? "down" : "up";
  if (asked === undefined || asked === way || to === head || (asked === "up" && late)) return asked ?? way;
  throw new Refusal({
    code: "SCHEMA_DIRECTION",
    found: `${request.observed.database} is at ${applied.at(-1) ?? emptyVersion(order)}: going to ${wanted} is not going ${asked}.`,
    untouched: "Nothing was changed.",
    next: `Use \`${way}\` if that is meant.`,
  });
}

function ofRelease(release: string, { observed }: Open, applied: readonly string[]): string {
  const releaseOf = new Map((observed.ledger ?? []).map((row) => [row.version, row.release]));
  const found = applied.findLast((version) => releaseOf.get(version) === release);
  if (found !== undefined) return found;
  const known = [...new Set(applied.flatMap((version) => releaseOf.get(version) ?? []))];
  throw new Refusal({
    code: "SCHEMA_RELEASE_UNKNOWN",
    found: `no migration of ${observed.database} was applied for release ${release}; the ledger knows ${known.join(", ") || "none"}.`,
    untouched: "Nothing was changed.",
    next: "Name one of these, or say the version or the number of steps instead.",
  });
}

function tooFew(database: string, wanted: number, there: number, what: string): Refusal {
  return new Refusal({
    code: "SCHEMA_TARGET",
    found: `${database} has ${String(there)} ${what} migration${there === 1 ? "" : "s"}, not ${String(wanted)}.`,
    untouched: "Nothing was changed.",
    next: "Say fewer steps, or the version that is meant.",
  });
}
