import Table from "cli-table3";
import { between, reportOf } from "../test/support/load-report.ts";
import type { RowCheck } from "../test/support/load.ts";
import type { RequestRecord } from "../test/support/load-report.ts";

/** A part of the demo during which clients were at work. Instants are milliseconds since the epoch. */
export interface Stretch {
  readonly step: string;
  readonly from: number;
  readonly to: number;
  /** How long requests were held, in the program's own words; undefined: none was. */
  readonly held: string | undefined;
}

/** What the demo ends with. */
export interface Findings {
  readonly stretches: readonly Stretch[];
  readonly records: readonly RequestRecord[];
  readonly rows: RowCheck;
  readonly live: readonly string[];
  readonly schema: readonly string[];
  readonly dump: string;
}

/** One row of the timeline, as text. Pure. */
export function timelineRow({ step, from, to, held }: Stretch, records: readonly RequestRecord[]): string[] {
  const report = reportOf(between(records, from, to));
  const failures = report.failures.map(({ why, count }) => `${count} × ${why}`).join(", ");
  return [
    step,
    seconds(to - from),
    held ?? "–",
    String(report.requests),
    report.failed === 0 ? "0" : `${report.failed} (${failures})`,
    milliseconds(report.slowest),
    milliseconds(report.p99),
    report.byRelease.map(({ release, answers }) => `${release}: ${answers}`).join("\n"),
  ];
}

/** The table and the findings, ready to print. Pure. */
export function timeline(findings: Findings): string {
  const table = new Table({
    head: ["step", "took", "held", "requests", "failed", "slowest", "p99", "answered by"],
    style: { head: [], border: [] },
  });
  for (const stretch of findings.stretches) table.push(timelineRow(stretch, findings.records));
  const whole = reportOf(findings.records);
  const { acknowledged, lost, duplicated } = findings.rows;
  return [
    table.toString(),
    ``,
    `requests       ${whole.requests} in ${seconds(whole.length)}, ${whole.failed} failed`,
    `rows           ${acknowledged} acknowledged, ${acknowledged - lost.length} found, ${lost.length} lost, ${duplicated.length} twice`,
    `live           ${findings.live.join(", ")}`,
    `schema         ${findings.schema.join(", ")}`,
    `dump           ${findings.dump}`,
  ].join("\n");
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const milliseconds = (ms: number): string => `${Math.round(ms)} ms`;
