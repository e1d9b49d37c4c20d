import type { LayoutReader } from "./layouts/layout.ts";

/**
 * Versions in the order in which they are applied: those of the files, and applied ones whose files are gone where they
 * belong, which is behind what was applied before them when the versions themselves have no order.
 */
export function migrationOrder(
  files: readonly { readonly version: string }[],
  applied: readonly string[],
  { compare }: Pick<LayoutReader, "compare">,
): string[] {
  const order = files.map((file) => file.version);
  const known = new Set(order);
  for (const [index, version] of applied.entries()) {
    if (known.has(version)) continue;
    known.add(version);
    if (compare === undefined) {
      order.splice(order.indexOf(applied[index - 1] ?? "") + 1, 0, version);
    } else {
      const next = order.findIndex((other) => compare(version, other) < 0);
      order.splice(next === -1 ? order.length : next, 0, version);
    }
  }
  return order;
}

/** Index of a version in the order, -1 when it is not there. */
export function position(order: readonly string[], version: string): number {
  return order.indexOf(version);
}

/** Whether a version lies in a range, both ends included, by position in the migration order. Unknown versions never do. */
export function isWithin(
  order: readonly string[],
  version: string,
  range: { readonly from: string; readonly to: string },
): boolean {
  const at = position(order, version);
  const [from, to] = [position(order, range.from), position(order, range.to)];
  return at !== -1 && from !== -1 && to !== -1 && from <= at && at <= to;
}

/**
 * Applied versions in the order in which they were applied: taken over ones as the layout orders them, then those of the
 * ledger. With time stamps from merged branches that is not the order of the versions.
 */
export function applicationOrder(
  applied: readonly string[],
  ledger: ReadonlyMap<string, { readonly id: string }>,
): string[] {
  const id = (version: string) => BigInt(ledger.get(version)?.id ?? 0);
  return applied
    .map((version, index) => ({ version, index, id: id(version) }))
    .sort((a, b) => (a.id === b.id ? a.index - b.index : a.id < b.id ? -1 : 1))
    .map(({ version }) => version);
}
