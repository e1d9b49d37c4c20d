import { docker } from "../docker/run.ts";
import type { Settings } from "../../settings/types.ts";
import { unitLog } from "../native/control.ts";
import type { DesiredContainer } from "../plan/desired.ts";
import type { Check } from "./report.ts";

/** The lines of a log that hold one of these parts. */
export function errorLines(log: string, parts: readonly string[]): string[] {
  return log.split("\n").filter((line) => parts.some((part) => line.includes(part)));
}

/** One line of the table about a container's log: how many errors it has, and the newest of them. */
export function judgeLog(what: string, lines: readonly string[], allowed: number | undefined): Check {
  const newest = lines.at(-1);
  return {
    what,
    found:
      newest === undefined ? "no errors" : `${lines.length} errors, the last: ${shortened(newest.trim())}`,
    wrong:
      allowed !== undefined && lines.length > allowed
        ? [`${lines.length} lines with errors, allowed are ${allowed}`]
        : [],
  };
}

function shortened(line: string): string {
  return line.length > 120 ? `${line.slice(0, 117)}...` : line;
}

/** What every live container has logged as errors since then. Both streams are read. */
export function logChecks(
  settings: Settings,
  containers: readonly DesiredContainer[],
  since: Date,
): Promise<Check[]> {
  const live = containers.filter(({ weight }) => weight > 0);
  return Promise.all(
    live.flatMap((container) => {
      const { service, release, replica } = container;
      const errorLog = settings.services.get(service)?.errorLog;
      if (errorLog === undefined) return [];
      return [
        logOf(container, since).then((log) =>
          judgeLog(
            `log ${service} ${release}${replica > 1 ? ` #${replica}` : ""}`,
            errorLines(log, errorLog.parts),
            errorLog.allowed,
          ),
        ),
      ];
    }),
  );
}

/** Both streams of a container, or what the journal has of a unit. */
function logOf({ name, unit, release }: DesiredContainer, since: Date): Promise<string> {
  if (unit !== undefined) return unitLog(unit, release, since);
  return docker(["logs", "--since", since.toISOString(), name], { timeoutMs: 60_000, errorsToo: true });
}
