import { execa } from "execa";
import { z } from "zod";
import type { Settings } from "../../settings/types.ts";
import type { DesiredContainer } from "../plan/desired.ts";
import type { Check } from "./report.ts";

/** Runs the smoke script of each service against each of its live containers; one check a container. */
export function scriptChecks(settings: Settings, containers: readonly DesiredContainer[]): Promise<Check[]> {
  return Promise.all(
    containers.flatMap(({ name, service, release, replica, address, weight }) => {
      const entry = settings.services.get(service);
      if (weight === 0 || entry?.smokeScript === undefined) return [];
      const what = `${service} ${release}${replica > 1 ? ` #${replica}` : ""}: smoke script`;
      return [
        runScript(what, entry.smokeScript, {
          ROLLBACK_SERVICE: service,
          ROLLBACK_RELEASE: release,
          ROLLBACK_CONTAINER: name,
          ROLLBACK_URL: `http://${address.includes(":") ? `[${address}]` : address}:${entry.port}`,
        }),
      ];
    }),
  );
}

/** Runs one script; fine is exit code 0 within its time. A script that cannot be started is a failed check, too. */
export async function runScript(
  what: string,
  script: { readonly path: string; readonly timeout: number },
  environment: Readonly<Record<string, string>>,
): Promise<Check> {
  const started = performance.now();
  const result = await execa(script.path, [], {
    all: true,
    env: environment,
    reject: false,
    stdin: "ignore",
    timeout: script.timeout,
  });
  const ms = Math.round(performance.now() - started);
  const said = z.string().catch("").parse(result.all).trim().split("\n").at(-1) ?? "";
  return {
    what,
    found: `${result.exitCode === undefined ? "no exit code" : `exit code ${result.exitCode}`} in ${ms} ms${said === "" ? "" : `: ${said.slice(0, 120)}`}`,
    wrong: wrongWith(result, script.timeout),
  };
}

function wrongWith(
  result: {
    readonly exitCode?: number | undefined;
    readonly timedOut: boolean;
    readonly code?: string | undefined;
  },
  timeout: number,
): string[] {
  if (result.timedOut) return [`not finished within ${timeout} ms`];
  if (result.exitCode === undefined)
    return [`could not be run to its end (${result.code ?? "ended by a signal"})`];
  return result.exitCode === 0 ? [] : [`exit code ${result.exitCode}`];
}
