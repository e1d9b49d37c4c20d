/** An order in which everything comes after what it needs. */
export type Order = { readonly order: readonly string[] } | { readonly cycle: readonly string[] };

/**
 * Orders the keys of `needs` so that each comes after those it needs, otherwise as given; or names one cycle, its first member
 * repeated at the end. Names that are not keys are passed over.
 */
export function inDependencyOrder(needs: ReadonlyMap<string, Iterable<string>>): Order {
  const order = new Set<string>();
  const visit = (name: string, path: readonly string[]): readonly string[] | undefined => {
    if (order.has(name)) return undefined;
    if (path.includes(name)) return [...path.slice(path.indexOf(name)), name];
    for (const needed of needs.get(name) ?? []) {
      const cycle = needs.has(needed) ? visit(needed, [...path, name]) : undefined;
      if (cycle !== undefined) return cycle;
    }
    order.add(name);
    return undefined;
  };
  for (const name of needs.keys()) {
    const cycle = visit(name, []);
    if (cycle !== undefined) return { cycle };
  }
  return { order: [...order] };
}
