import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { deliver, type Alert } from "../../operations/monitor/alert.ts";
import { lookAt } from "../../operations/monitor/look.ts";
import { prometheusText, watchText } from "../../operations/monitor/metrics.ts";
import { serveMetrics } from "../../operations/monitor/serve.ts";
import { pauseAfter, withNews, type Told, type Trouble } from "../../operations/monitor/told.ts";
import { verdictOn, type Verdict } from "../../operations/monitor/verdict.ts";
import { stackLabel } from "../../settings/names.ts";
import { aboutStack, readStack, type ConfiguredStack, type StackOptions } from "../stack.ts";
import { wholeNumber } from "../values.ts";
import { goBack } from "../way-back.ts";

interface MonitorOptions extends StackOptions {
  readonly once: boolean;
  readonly watchOnly: boolean;
  readonly interval: number;
  readonly window: number;
  readonly metrics?: number;
  readonly metricsAddress: string;
  readonly webhookEnv?: string;
  readonly alertCommand?: string;
}

/** What a look has come to. */
interface Outcome {
  /** `project/stack`. */
  readonly stack: string;
  /** What somebody has to be told; undefined: nothing is wrong that was not mended. */
  readonly trouble: Trouble | undefined;
  readonly wentBack: string | undefined;
  /** There is a way back to go, and another run is under way. */
  readonly postponed: boolean;
  readonly metrics: string;
}

type Done = Pick<Outcome, "trouble" | "wentBack" | "postponed">;
const nothing: Done = { trouble: undefined, wentBack: undefined, postponed: false };

/** After so many looks in a row that failed, that is an alert of its own. */
const worrying = 3;

/** `rollback monitor`: watches the live releases, takes up a pending way back once, and alerts where it must not. */
export function monitor(program: Command): void {
  aboutStack(program.command("monitor"))
    .description("watch what is live; take up a pending way back, once; alert where that would be worse")
    .option("--once", "look once; exit code 1 when something is wrong and was not mended", false)
    .option("--watch-only", "alert, never go back", false)
    .option("--interval <seconds>", "time between two looks", wholeNumber, 15)
    .option("--window <seconds>", "how much of the router's log counts", wholeNumber, 60)
    .option("--metrics <port>", "serve Prometheus metrics on this port", wholeNumber)
    .option("--metrics-address <address>", "the address to serve them at", "127.0.0.1")
    .option("--webhook-env <name>", "environment variable with the URL to POST alerts to, as JSON")
    .option("--alert-command <file>", "executable that gets each alert on its standard input, as JSON")
    .action(async (options: MonitorOptions, command: Command) => {
      const { webhookEnv: variable } = options;
      if (variable !== undefined && !process.env[variable])
        command.error(`error: --webhook-env names ${variable}, which is not set`);
      if (options.once) await lookOnce(options);
      else await watch(options);
    });
}

async function lookOnce(options: MonitorOptions): Promise<void> {
  const { stack, trouble, wentBack, postponed } = await look(options);
  const { waiting } = withNews({ trouble: undefined, waiting: [] }, { trouble, wentBack }, about(stack));
  await tell(options, waiting);
  if (trouble !== undefined || postponed) process.exitCode = 1;
  else console.log(wentBack === undefined ? "all is well" : "went back");
}

/** Looks again and again until it is told to stop. A look that fails is reported and tried again, ever less often. */
async function watch(options: MonitorOptions): Promise<void> {
  const stopping = untilStopped();
  let measured = "";
  let failures = 0;
  let stack = options.stack ?? "the stack";
  let told: Told = { trouble: undefined, waiting: [] };
  const text = (): string => `${measured}${watchText({ failures, undelivered: told.waiting.length })}`;
  const { metrics: port, metricsAddress: address } = options;
  const server = port === undefined ? undefined : await serveMetrics({ address, port }, text);
  try {
    while (!stopping.aborted) {
      try {
        const seen = await look(options);
        ({ stack, metrics: measured } = seen);
        failures = 0;
        told = withNews(told, seen, about(stack));
      } catch (error) {
        failures += 1;
        const why = error instanceof Error ? error.message : String(error);
        console.error(`look failed, ${failures} in a row: ${why}`);
        const trouble = { about: "looks fail", message: `Nothing is watched: ${why}` };
        if (failures >= worrying) told = withNews(told, { trouble, wentBack: undefined }, about(stack));
      }
      told = { ...told, waiting: await tell(options, told.waiting) };
      await sleep(pauseAfter(failures, options.interval * 1000), undefined, { signal: stopping }).catch(
        (error: unknown) => {
          if (!stopping.aborted) throw error;
        },
      );
    }
  } finally {
    server?.closeAllConnections();
    server?.close();
  }
}

/** One look, and going back if that is what it comes to. The stack is read anew each time: a deploy changes it. */
async function look(options: MonitorOptions): Promise<Outcome> {
  const stack = await readStack(options);
  const { settings } = stack;
  const seen = await lookAt(settings, options.window, (line) => console.error(line));
  const verdict: Verdict = seen === undefined ? unknown : verdictOn(seen.look);
  const live = new Map(settings.live.map(({ release, weight }) => [release, weight]));
  const done = await carryOut(options, stack, seen?.look.run, live, verdict);
  return {
    stack: stackLabel(settings),
    ...done,
    metrics: prometheusText({
      attempts: seen?.attempts ?? [],
      live,
      pending: seen?.look.pending !== undefined,
      alerting: done.trouble !== undefined,
    }),
  };
}

const unknown: Verdict = {
  kind: "alert",
  about: "nothing is known",
  reason: "PostgreSQL does not answer, or no run was ever finished",
  because: "nothing is known of the stack",
};

/** Goes back where the verdict says so; returns what somebody has to be told. */
async function carryOut(
  { watchOnly, configFile }: MonitorOptions,
  stack: ConfiguredStack,
  run: string | undefined,
  live: ReadonlyMap<string, number>,
  verdict: Verdict,
): Promise<Done> {
  if (verdict.kind === "well") return nothing;
  const name = stack.settings.stack;
  const { reason } = verdict;
  const alert = (message: string, because = ""): Done => ({
    ...nothing,
    trouble: { about: `${verdict.about} ${because}`, message },
  });
  const byHand = `To type: rollback decide --stack ${name}; then change rollback:live and run pulumi up.`;
  if (verdict.kind === "tell") return alert(`${reason} To type: rollback backup --stack ${name}`);
  if (verdict.kind === "alert")
    return alert(`${reason}. Not gone back: ${verdict.because}. ${byHand}`, verdict.because);
  if (watchOnly || run === undefined) return alert(`${reason}. ${byHand}`);
  const target = [...verdict.to.keys()].join(", ");
  console.error(`going back to ${target}: ${reason}`);
  const { kind } = await goBack({
    ...{ stack, run, from: live, to: verdict.to, otherFile: configFile !== undefined },
    say: (line) => console.error(line),
  });
  switch (kind) {
    case "gone":
      return { ...nothing, wentBack: `went back to ${target}: ${reason}` };
    case "not now":
      console.error("another run is under way: the way back is left for a later look");
      return { ...nothing, postponed: true };
    case "file unchanged":
      return alert(`${reason}. Not gone back: ${stack.file} could not be changed. ${byHand}`, kind);
    case "failed":
      return alert(
        `${reason}. The way back failed; ${stack.file} names ${target}. To type: pulumi up --stack ${name}`,
        kind,
      );
  }
}

function about(stack: string): Pick<Alert, "stack" | "at"> {
  return { stack, at: new Date().toISOString() };
}

/** Tells what waits; returns what did not arrive. */
async function tell(options: MonitorOptions, waiting: readonly Alert[]): Promise<Alert[]> {
  const webhook = options.webhookEnv === undefined ? undefined : process.env[options.webhookEnv];
  const left: Alert[] = [];
  for (const alert of waiting) {
    console.error(`${alert.kind === "alert" ? "ALERT" : alert.kind}: ${alert.message}`);
    const why = await deliver(alert, { webhook, command: options.alertCommand });
    if (why.length === 0) continue;
    console.error(`the alert could not be delivered: ${why.join("; ")}`);
    left.push(alert);
  }
  return left;
}

/** Aborted by the first SIGTERM or SIGINT: what is under way is finished, then the command ends. A second one ends it at once. */
function untilStopped(): AbortSignal {
  const stopping = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => stopping.abort());
  }
  return stopping.signal;
}
