import Table from "cli-table3";
import type { Decision } from "./decision.ts";
import type { Way } from "./ways.ts";

/** The decision as text for a terminal: the tree, the recommended way with what to change, the other ways with their cost. */
export function describeDecision({ answers, ways }: Decision): string {
  const [best, ...others] = ways;
  const tree = answers.map(
    ({ question, yes, because }) =>
      `${question.padEnd(32)} ${yes ? "YES" : "NO"}\n${because.map((line) => `    ${line}\n`).join("")}`,
  );
  return [
    ...tree,
    ...(best === undefined ? [] : [`→ ${best.title}  (${cost(best)})`, ...indented(best.notes), ""]),
    ...(best === undefined ? [] : ["  What to change:", ...indented(best.change.split("\n")), ""]),
    "The other ways:",
    wayTable(others),
  ].join("\n");
}

function wayTable(ways: readonly Way[]): string {
  const table = new Table({
    head: ["way", "minutes", "rows lost", ""],
    style: { head: [], border: [], compact: true },
  });
  for (const way of ways) {
    const { title, impossible } = way;
    table.push([
      title,
      minutes(way),
      rows(way),
      impossible === undefined ? "" : `not possible: ${impossible}`,
    ]);
  }
  return table.toString();
}

function cost(way: Way): string {
  return `about ${minutes(way)} min, ${rows(way)} rows lost`;
}

function minutes({ minutes: count }: Way): string {
  if (count === undefined) return "?";
  return count < 10 ? count.toFixed(1) : String(Math.round(count));
}

function rows({ rowsLost }: Way): string {
  return rowsLost?.toLocaleString("en") ?? "?";
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `    ${line}`);
}
