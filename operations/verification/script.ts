import { execa } from "execa";
import { z } from "zod";
import { stackNames } from "../../settings/stack-names.ts";
import type { Service, Settings } from "../../settings/types.ts";
import { DockerFailure, docker } from "../docker/run.ts";
import type { DesiredContainer } from "../plan/desired.ts";
import type { Check } from "./report.ts";

/** Runs the smoke script of each service against each of its live containers; one check a container. */
export function scriptChecks(settings: Settings, containers: readonly DesiredContainer[]): Promise<Check[]> {
  return Promise.all(
    containers.flatMap(({ name, service, release, replica, address, port, weight }) => {
      const entry = settings.services.get(service);
      if (weight === 0 || entry?.smokeScript === undefined) return [];
      const what = `${service} ${release}${replica > 1 ? ` #${replica}` : ""}: smoke script`;
      return [
        runScript(what, entry.smokeScript, {
          ROLLBACK_SERVICE: service,
          ROLLBACK_RELEASE: release,
          ROLLBACK_CONTAINER: name,
          ROLLBACK_NETWORK: stackNames(settings).network,
          ROLLBACK_URL: `http://${address.includes(":") ? `[${address}]` : address}:${port}`,
        }),
      ];
    }),
  );
}

/** Runs one script; fine is exit code 0 within its time. A script that cannot be started is a failed check, too. */
export async function runScript(
  what: string,
  script: NonNullable<Service["smokeScript"]>,
  environment: Readonly<Record<string, string>>,
): Promise<Check> {
  if (script.image !== undefined) return runInContainer(what, script, script.image, environment);
  return run(what, [script.path], script.timeout, environment);
}

/** Copied into a container rather than mounted: Docker may be on another machine, and the folder be closed to its user. */
async function runInContainer(
  what: string,
  { path, timeout }: { readonly path: string; readonly timeout: number },
  image: string,
  environment: Readonly<Record<string, string>>,
): Promise<Check> {
  const variables = Object.entries(environment).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  const network = environment["ROLLBACK_NETWORK"] ?? "none";
  let container: string | undefined;
  try {
    container = await docker([
      ...["create", "--network", network, "--security-opt", "no-new-privileges:true", ...variables],
      ...["--entrypoint", inContainer, image],
    ]);
    await docker(["cp", path, `${container}:${inContainer}`]);
    return await run(what, ["docker", "start", "--attach", container], timeout, {});
  } catch (error) {
    if (!(error instanceof DockerFailure)) throw error;
    return {
      what,
      found: "not run",
      wrong: [`could not be run in ${image} (${error.stderr || error.message})`],
    };
  } finally {
    if (container !== undefined) await docker(["rm", "--force", "--volumes", container]);
  }
}

const inContainer = "/rollback-smoke";

async function run(
  what: string,
  [file = "", ...args]: readonly string[],
  timeout: number,
  environment: Readonly<Record<string, string>>,
): Promise<Check> {
  const started = performance.now();
  const result = await execa(file, args, {
    all: true,
    env: environment,
    reject: false,
    stdin: "ignore",
    timeout,
  });
  const ms = Math.round(performance.now() - started);
  const said = z.string().catch("").parse(result.all).trim().split("\n").at(-1) ?? "";
  return {
    what,
    found: `${result.exitCode === undefined ? "no exit code" : `exit code ${result.exitCode}`} in ${ms} ms${said === "" ? "" : `: ${said.slice(0, 120)}`}`,
    wrong: wrongWith(result, timeout),
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
