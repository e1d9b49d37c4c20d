/** Kinds in the order in which they are made where nothing else decides. */
const ranks: readonly string[] = [
  ...[
    "schema",
    "extension",
    "enum",
    "domain",
    "range",
    "composite",
    "attribute",
    "sequence",
    "table",
    "column",
  ],
  ...["function", "procedure", "aggregate", "sequence owner", "default", "index", "constraint", "partition"],
  ...[
    "foreign key",
    "view",
    "materialized view",
    "statistics",
    "trigger",
    "rule",
    "policy",
    "default privileges",
  ],
];

/**
 * Keys so that each comes behind those it depends on, by rank where that leaves a choice. In a circle, the one of the lowest
 * rank goes first.
 */
export function inOrder(
  keys: Iterable<string>,
  rankOf: (key: string) => string,
  dependenciesOf: (key: string) => Iterable<string>,
): string[] {
  const left = new Set(keys);
  const rank = new Map([...left].map((key) => [key, ranks.indexOf(rankOf(key))]));
  const waits = new Map(
    [...left].map((key) => [
      key,
      new Set([...dependenciesOf(key)].filter((on) => on !== key && left.has(on))),
    ]),
  );
  const dependents = new Map<string, string[]>();
  for (const [key, on] of waits)
    for (const each of on) dependents.set(each, [...(dependents.get(each) ?? []), key]);
  const byRank = (a: string, b: string): number =>
    (rank.get(a) ?? 0) - (rank.get(b) ?? 0) || (a < b ? -1 : a > b ? 1 : 0);
  const ready = [...left].filter((key) => waits.get(key)?.size === 0).sort(byRank);
  const result: string[] = [];
  const release = (key: string): void => {
    left.delete(key);
    result.push(key);
    for (const each of dependents.get(key) ?? []) {
      const waiting = waits.get(each);
      waiting?.delete(key);
      if (waiting?.size === 0 && left.has(each) && !ready.includes(each)) ready.push(each);
    }
    ready.sort(byRank);
  };
  while (left.size > 0) {
    const next = ready.shift() ?? [...left].sort(byRank)[0];
    if (next === undefined) break;
    if (left.has(next)) release(next);
  }
  return result;
}
