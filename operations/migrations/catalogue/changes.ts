import type { Catalogue } from "./read.ts";

/** How one catalogue became another: what is gone (with its definition), what changed (before and after), what is new. */
export interface CatalogueChanges {
  readonly removed: Readonly<Record<string, string>>;
  readonly changed: Readonly<Record<string, { readonly before: string; readonly after: string }>>;
  readonly added: Readonly<Record<string, string>>;
}

/** See `CatalogueChanges`. */
export function compareCatalogues(before: Catalogue, after: Catalogue): CatalogueChanges {
  const removed: Record<string, string> = {};
  const changed: Record<string, { before: string; after: string }> = {};
  const added: Record<string, string> = {};
  for (const [key, definition] of before) {
    const now = after.get(key);
    if (now === undefined) removed[key] = definition;
    else if (now !== definition) changed[key] = { before: definition, after: now };
  }
  for (const [key, definition] of after) if (!before.has(key)) added[key] = definition;
  return { removed, changed, added };
}

/** The differences for people, at most `most` lines (default 12). */
export function describeChanges(changes: CatalogueChanges, most = 12): string[] {
  const lines = [
    ...Object.keys(changes.removed).map((key) => `missing: ${key}`),
    ...Object.entries(changes.changed).map(
      ([key, { before, after }]) => `differs: ${key}: ${before} → ${after}`,
    ),
    ...Object.keys(changes.added).map((key) => `left over: ${key}`),
  ];
  return lines.length <= most ? lines : [...lines.slice(0, most), `… and ${lines.length - most} more`];
}
