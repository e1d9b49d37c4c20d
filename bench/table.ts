import Table from "cli-table3";
import type { Machine } from "./machine.ts";
import type { Result, Unit } from "./report.ts";

/** A value with its unit, as short as it can be read: `0.34 s`, `27 ms`, `145`, `96 MiB`. */
export function shown(value: number, unit: Unit): string {
  if (unit === "count") return String(value);
  if (unit === "percent") return `${value} %`;
  if (unit === "bytes") return `${(value / 2 ** 20).toFixed(0)} MiB`;
  return value >= 1000 ? `${(value / 1000).toFixed(value >= 10_000 ? 1 : 2)} s` : `${value} ms`;
}

/** A cell: the value, the range of its repetitions, and how it stands to its baseline. */
export function cell({ value, unit, min, max, ratio }: Result): string {
  const range = min === undefined || max === undefined || min === max;
  return [
    shown(value, unit),
    ...(range ? [] : [`${shown(min, unit)} – ${shown(max, unit)}`]),
    ...(ratio === null ? [] : [`× ${ratio}`]),
  ].join("\n");
}

/** More metrics than this are laid out downwards, so that a table fits a screen. */
const widest = 9;

/**
 * Tables of all results: cases with the same metrics share one, a line for each case and a column for each metric, or
 * the other way round when there are many metrics. What a case is compared with stands below its name.
 */
export function tables(results: readonly Result[]): string {
  const cases = [...Map.groupBy(results, (result) => JSON.stringify([result.bench, result.case])).values()];
  const alike = Map.groupBy(cases, (each) =>
    JSON.stringify([each[0]?.bench, ...each.map(({ metric }) => metric)]),
  );
  return [...alike.values()].map(tableOf).join("\n\n");
}

function tableOf(cases: readonly (readonly Result[])[]): string {
  const [first = []] = cases;
  const bench = first[0]?.bench ?? "";
  const names = cases.map(nameOf);
  const metrics = first.map(({ metric }) => metric);
  if (metrics.length <= widest) {
    const rows = cases.map((results, n) => [names[n] ?? "", ...results.map(cell)]);
    return drawn([bench, ...metrics.map((metric) => metric.replace(" ", "\n"))], rows);
  }
  const rows = first.map(({ metric }, n) => [
    metric,
    ...cases.map(({ [n]: result }) => (result === undefined ? "" : cell(result))),
  ]);
  return drawn([bench, ...names.map((name) => name.replaceAll(/[,:] /g, "\n"))], rows);
}

function nameOf(results: readonly Result[]): string {
  const against = results.find((result) => result.against !== null)?.against;
  const name = results[0]?.case ?? "";
  return against === undefined ? name : `${name}\n× against: ${against}`;
}

function drawn(head: string[], rows: readonly string[][]): string {
  const colAligns = head.map((_, n) => (n === 0 ? ("left" as const) : ("right" as const)));
  const table = new Table({ head, colAligns, style: { head: [], border: [] } });
  table.push(...rows);
  return table.toString();
}

/** One line about where the figures come from, to be read with them. */
export function machineLine(
  { cores, memory, kernel, docker, node, postgres, pulumi }: Machine,
  runs: number,
): string {
  const size = `${(memory / 2 ** 30).toFixed(1)} GiB`;
  return [
    `${cores} cores, ${size}, ${kernel}; Docker ${docker}, Node ${node}, PostgreSQL ${postgres}, Pulumi ${pulumi}.`,
    runs > 1 ? `Medians of up to ${runs} runs, smallest and largest below.` : `One run.`,
  ].join(" ");
}
