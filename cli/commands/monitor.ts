import { createServer, type Server as HttpServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { execa, ExecaError } from "execa";
import { lookAt } from "../../operations/monitor/look.ts";
import { prometheusText } from "../../operations/monitor/metrics.ts";
import { giveTryBack, takeTry } from "../../operations/monitor/once.ts";
import { verdictOn, type Verdict } from "../../operations/monitor/verdict.ts";
import { access, applicationName } from "../../operations/plan/access.ts";
import { writeLive } from "../../operations/stack-file/live.ts";
import { stackLabel } from "../../settings/names.ts";
import { aboutStack, readStack, type ConfiguredStack, type StackOptions } from "../stack.ts";
import { wholeNumber } from "../values.ts";

interface MonitorOptions extends StackOptions {
  readonly once: boolean;
  readonly watchOnly: boolean;
  readonly interval: number;
  readonly window: number;
  readonly metrics?: number;
  readonly webhookEnv?: string;
  readonly alertCommand?: string;
}

/** `rollback monitor`: watches the live releases, takes up a pending way back once, and alerts where it must not. */
export function monitor(program: Command): void {
  aboutStack(program.command("monitor"))
    .description("watch what is live; take up a pending way back, once; alert where that would be worse")
    .option("--once", "look once; exit code 1 when something is wrong and was not mended", false)
    .option("--watch-only", "alert, never go back", false)
    .option("--interval <seconds>", "time between two looks", wholeNumber, 15)
    .option("--window <seconds>", "how much of the router's log counts", wholeNumber, 60)
    .option("--metrics <port>", "serve Prometheus metrics on this port of 127.0.0.1", wholeNumber)
    .option("--webhook-env <name>", "environment variable with the URL to POST alerts to, as JSON")
    .option("--alert-command <file>", "executable that gets each alert on its standard input")
    .action(async (options: MonitorOptions) => {
      const metrics = { text: "" };
      const server = options.metrics === undefined ? undefined : serve(options.metrics, metrics);
      try {
        await watch(options, metrics);
      } finally {
        server?.close();
      }
    });
}

function serve(port: number, metrics: { readonly text: string }): HttpServer {
  return createServer((_, response) => {
    response.setHeader("content-type", "text/plain; version=0.0.4");
    response.end(metrics.text);
  }).listen(port, "127.0.0.1");
}

async function watch(options: MonitorOptions, metrics: { text: string }): Promise<void> {
  let alerted = "";
  for (;;) {
    // Read anew each time: a deploy changes it.
    const stack = await readStack(options);
    const seen = await lookAt(stack.settings, options.window, (line) => console.error(line));
    const verdict: Verdict = seen === undefined ? unknown : verdictOn(seen.look);
    const live = new Map(stack.settings.live.map(({ release, weight }) => [release, weight]));
    metrics.text = prometheusText({
      attempts: seen?.attempts ?? [],
      live,
      pending: seen?.look.pending !== undefined,
      alerting: verdict.kind !== "well",
    });
    const message = await carryOut(options, stack, seen?.look.run, live, verdict);
    // The same trouble is told once, not at every look.
    if (message !== undefined && message !== alerted) await alert(options, stack, message);
    alerted = message ?? "";
    if (options.once) {
      if (message !== undefined) process.exitCode = 1;
      else console.log(verdict.kind === "well" ? "all is well" : "went back");
      return;
    }
    await sleep(options.interval * 1000);
  }
}

const unknown: Verdict = {
  kind: "alert",
  reason: "PostgreSQL does not answer, or no run was ever finished",
  because: "nothing is known of the stack",
};

/** Goes back where the verdict says so; returns what somebody has to be told, undefined when there is nothing. */
async function carryOut(
  { watchOnly, configFile }: MonitorOptions,
  { settings, file, folder }: ConfiguredStack,
  run: string | undefined,
  live: ReadonlyMap<string, number>,
  verdict: Verdict,
): Promise<string | undefined> {
  if (verdict.kind === "well") return undefined;
  const byHand = `To type: rollback decide --stack ${settings.stack}; then change rollback:live and run pulumi up.`;
  if (verdict.kind === "alert") return `${verdict.reason}. Not gone back: ${verdict.because}. ${byHand}`;
  const [first] = settings.databases.keys();
  if (watchOnly || run === undefined || first === undefined) return `${verdict.reason}. ${byHand}`;
  const server = access(settings);
  const session = { applicationName: applicationName(settings) };
  if (!(await takeTry(server, first, run, session))) return undefined;
  if (!(await writeLive(file, live, verdict.to)))
    return `${verdict.reason}. Not gone back: ${file} could not be changed. ${byHand}`;
  console.error(`going back to ${[...verdict.to.keys()].join(", ")}: ${verdict.reason}`);
  const given = configFile === undefined ? [] : ["--config-file", file];
  const args = ["up", "--yes", "--skip-preview", "--non-interactive", "--stack", settings.stack, ...given];
  try {
    await execa("pulumi", args, {
      cwd: folder,
      stdin: "ignore",
      stdout: ["inherit", "pipe"],
      stderr: ["inherit", "pipe"],
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    if (/currently locked|update is already in progress/i.test(String(error.stderr) + String(error.stdout))) {
      await writeLive(file, verdict.to, live);
      await giveTryBack(server, first, run, session);
      return undefined;
    }
    return `${verdict.reason}. The way back failed; ${file} names ${[...verdict.to.keys()].join(", ")}. To type: pulumi up --stack ${settings.stack}`;
  }
}

async function alert(options: MonitorOptions, { settings }: ConfiguredStack, message: string): Promise<void> {
  console.error(`ALERT ${message}`);
  const body = JSON.stringify({ stack: stackLabel(settings), message });
  const url = options.webhookEnv === undefined ? undefined : process.env[options.webhookEnv];
  try {
    if (url !== undefined)
      await fetch(url, {
        method: "POST",
        body,
        headers: { "content-type": "application/json" },
        signal: AbortSignal.timeout(10_000),
      });
    if (options.alertCommand !== undefined)
      await execa(options.alertCommand, [], { input: body, timeout: 60_000, stdout: "ignore" });
  } catch {
    // Its message could hold the URL, which may be secret.
    console.error("the alert could not be delivered");
  }
}
