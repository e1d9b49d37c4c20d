/** What repeated measurements of one thing come to. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** How many there were. */
  readonly runs: number;
}

/** Condenses measurements; throws without any. The median of an even number is the mean of the middle two. */
export function summarise(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const [min, max] = [sorted.at(0), sorted.at(-1)];
  if (min === undefined || max === undefined) throw new Error("nothing was measured");
  const middle = (sorted.length - 1) / 2;
  const [below = min, above = max] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]];
  return { median: (below + above) / 2, min, max, runs: sorted.length };
}

/** `value` in relation to `baseline`; null where that says nothing, that is, for a baseline of 0. */
export function ratioOf(value: number, baseline: number): number | null {
  return baseline === 0 ? null : value / baseline;
}

/** Rounded to what can be told from noise: whole numbers from 100 on, three figures below. */
export function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}
