import type { Attempt } from "../verification/bake.ts";

/** What the metrics are made of. */
export interface Measured {
  readonly attempts: readonly Attempt[];
  readonly live: ReadonlyMap<string, number>;
  readonly pending: boolean;
  readonly alerting: boolean;
}

/** The text that Prometheus reads: attempts, errors and response times of the window, by release. */
export function prometheusText({ attempts, live, pending, alerting }: Measured): string {
  const releases = [...new Set([...live.keys(), ...attempts.map(({ release }) => release)])];
  const perRelease = (name: string, help: string, value: (release: string) => number): string[] => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} gauge`,
    ...releases.map((release) => `${name}{release=${JSON.stringify(release)}} ${value(release)}`),
  ];
  const of = (release: string): Attempt[] => attempts.filter((attempt) => attempt.release === release);
  const flag = (name: string, help: string, on: boolean): string[] => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} gauge`,
    `${name} ${on ? 1 : 0}`,
  ];
  return [
    ...perRelease("rollback_weight_percent", "Configured weight.", (release) => live.get(release) ?? 0),
    ...perRelease("rollback_attempts", "Attempts in the window.", (release) => of(release).length),
    ...perRelease(
      "rollback_errors",
      "Attempts with 5xx or no answer in the window.",
      (release) => of(release).filter(({ status }) => status === 0 || status >= 500).length,
    ),
    ...perRelease("rollback_response_seconds_p95", "95 % were answered within.", (release) => {
      const times = of(release)
        .map(({ seconds }) => seconds)
        .sort((one, other) => one - other);
      return times[Math.ceil(times.length * 0.95) - 1] ?? 0;
    }),
    ...flag("rollback_way_back_pending", "A failed run has left a way back to go.", pending),
    ...flag("rollback_alerting", "Something is wrong that the monitor does not mend.", alerting),
    "",
  ].join("\n");
}

/** The text about the monitor itself. */
export function watchText({
  failures,
  undelivered,
}: {
  /** Looks in a row that failed. */
  readonly failures: number;
  readonly undelivered: number;
}): string {
  const gauge = (name: string, help: string, value: number): string[] => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} gauge`,
    `${name} ${value}`,
  ];
  return [
    ...gauge(
      "rollback_looks_failed",
      "Looks in a row that failed; the other metrics are of the last one that did not.",
      failures,
    ),
    ...gauge("rollback_alerts_undelivered", "Alerts that have not arrived yet.", undelivered),
    "",
  ].join("\n");
}
