import { ratioOf, rounded, summarise } from "./statistics.ts";

/** `ms`: milliseconds; `count`: pieces; `bytes`: bytes; `percent`: of a hundred. */
export type Unit = "ms" | "count" | "bytes" | "percent";

/** One metric of one case, as it is printed and given out as JSON. */
export interface Result {
  readonly bench: string;
  readonly case: string;
  readonly metric: string;
  readonly unit: Unit;
  /** The only measurement, or the median of several. */
  readonly value: number;
  /** Value of the same metric in the case that this one is compared with; null: it is compared with none. */
  readonly baseline: number | null;
  /** `value / baseline`; null without a baseline and for a baseline of 0. */
  readonly ratio: number | null;
  /** How often it was measured. */
  readonly runs: number;
  /** The case that `baseline` is of; null without one. */
  readonly against: string | null;
  /** Only where it was measured more than once. */
  readonly min?: number;
  readonly median?: number;
  readonly max?: number;
}

/** What a bench tells while it measures. */
export interface Report {
  /** How often each case is to be measured. */
  readonly runs: number;
  /** GB of data where that decides the time. */
  readonly gigabytes: number;
  /** One measurement. The same case and metric again is a repetition of it. */
  readonly sample: (name: string, metric: string, unit: Unit, value: number) => void;
  /** Compares a case with another of the same bench, metric by metric. */
  readonly compare: (name: string, baseline: string) => void;
  /** A line for the person who waits. */
  readonly say: (line: string) => void;
  /** Remembers how to remove what was made; done in reverse order at the end, after a failure and on Ctrl-C. */
  readonly defer: (what: string, undo: () => Promise<void>) => void;
}

/** Something that is measured under a name of its own. */
export interface Bench {
  readonly name: string;
  /** One line for the help. */
  readonly about: string;
  /** Measures each case `report.runs` times. What it makes is handed to `report.defer` before or as it is made. */
  readonly run: (report: Report) => Promise<void>;
}

interface Measured {
  readonly name: string;
  readonly metric: string;
  readonly unit: Unit;
  readonly values: number[];
}

/** Collects the measurements of one bench. `results` may be called at any time. */
export function collector(bench: string): Pick<Report, "sample" | "compare"> & {
  readonly results: () => Result[];
} {
  const measured = new Map<string, Measured>();
  const baselines = new Map<string, string>();
  const keyOf = (name: string, metric: string): string => JSON.stringify([name, metric]);
  const medianOf = (name: string, metric: string): number | undefined => {
    const found = measured.get(keyOf(name, metric));
    return found === undefined ? undefined : summarise(found.values).median;
  };
  return {
    sample(name, metric, unit, value) {
      const key = keyOf(name, metric);
      const known = measured.get(key);
      if (known === undefined) measured.set(key, { name, metric, unit, values: [value] });
      else known.values.push(value);
    },
    compare: (name, baseline) => void baselines.set(name, baseline),
    results: () =>
      [...measured.values()].map(({ name, metric, unit, values }) => {
        const { median, min, max, runs } = summarise(values);
        const against = baselines.get(name);
        const baseline = against === undefined ? undefined : medianOf(against, metric);
        const ratio = baseline === undefined ? null : ratioOf(median, baseline);
        return {
          bench,
          case: name,
          metric,
          unit,
          value: rounded(median),
          baseline: baseline === undefined ? null : rounded(baseline),
          ratio: ratio === null ? null : rounded(ratio),
          runs,
          against: baseline === undefined ? null : (against ?? null),
          ...(runs > 1 && { min: rounded(min), median: rounded(median), max: rounded(max) }),
        };
      }),
  };
}
