import { Readable } from "node:stream";
import { execa, ExecaError } from "execa";
import { Refusal } from "../../settings/refusal.ts";

export interface DockerOptions {
  /** Standard input; the way to hand over text that must not be in the process list. */
  readonly input?: string;
  /** Milliseconds until the client is ended (default 60 s). */
  readonly timeoutMs?: number;
  /** Returns what came on standard error as well, as it came; for `docker logs` (default false). */
  readonly errorsToo?: boolean;
}

/**
 * Runs the docker command-line client and returns what it printed, without the last line break.
 * The client honours contexts and DOCKER_HOST, so whatever works for the user in a shell works here.
 * Throws a Refusal `DOCKER_UNREACHABLE` when no daemon answers, `DOCKER_SLOW` when the time is over, else `DockerFailure`
 * with the client's own words.
 */
export async function docker(args: readonly string[], options: DockerOptions = {}): Promise<string> {
  const timeoutMs = options.timeoutMs ?? 60_000;
  try {
    const { stdout, all } = await execa("docker", args, {
      all: options.errorsToo ?? false,
      timeout: timeoutMs,
      ...(options.input === undefined ? { stdin: "ignore" as const } : { input: options.input }),
    });
    return all ?? stdout;
  } catch (error) {
    throw asDockerError(args, timeoutMs, error);
  }
}

/** As `docker`, for a command that reads what is still being made; what it prints is not wanted. No deadline. */
export async function dockerStream(args: readonly string[], input: AsyncIterable<string>): Promise<void> {
  let broken: unknown;
  async function* watched(): AsyncGenerator<string> {
    try {
      yield* input;
    } catch (error) {
      broken = error;
      throw error;
    }
  }
  try {
    await execa("docker", args, { input: Readable.from(watched()), stdout: "ignore" });
  } catch (error) {
    throw broken ?? asDockerError(args, 0, error);
  }
}

/** A docker command that failed; `stderr` is what the client said, arguments are kept out of the message on purpose. */
export class DockerFailure extends Error {
  override readonly name = "DockerFailure";
  readonly stderr: string;
  readonly stdout: string;
  readonly exitCode: number | undefined;
  constructor(command: string, error: Pick<ExecaError, "stderr" | "stdout" | "exitCode" | "code">) {
    const stderr = typeof error.stderr === "string" ? error.stderr.trim() : "";
    super(`docker ${command}: ${stderr === "" ? "failed" : stderr}`, { cause: error.code });
    this.stderr = stderr;
    this.stdout = typeof error.stdout === "string" ? error.stdout : "";
    this.exitCode = error.exitCode;
  }
}

/** Whether docker said that the named object does not exist. */
export function isMissing(error: unknown): boolean {
  return (
    error instanceof DockerFailure &&
    /no such (object|container|image|volume|network)|not found/i.test(error.stderr)
  );
}

function asDockerError(args: readonly string[], timeoutMs: number, error: unknown): unknown {
  if (!(error instanceof ExecaError)) return error;
  if (error.code === "ENOENT") {
    return new Refusal({
      code: "DOCKER_MISSING",
      found: "there is no `docker` command on the PATH.",
      next: "Install Docker, or run `npm run setup`, which does it where it can.",
    });
  }
  const command = args[0] ?? "";
  const failure = new DockerFailure(command, error);
  if (error.timedOut) {
    const seconds = Math.round(timeoutMs / 1000);
    return new Refusal({
      code: "DOCKER_SLOW",
      found: `\`docker ${command}\` did not end within ${seconds} s: Docker or this machine is overloaded, or this program was stopped for a while. What was asked may have been done.`,
      next: "docker ps    # must answer at once; then pulumi up, which looks at what there is",
      cause: failure,
    });
  }
  if (
    /cannot connect to the docker daemon|permission denied.*docker\.sock|error during connect/i.test(
      failure.stderr,
    )
  ) {
    return new Refusal({
      code: "DOCKER_UNREACHABLE",
      found: failure.stderr,
      untouched: "Nothing was changed.",
      next: "Start Docker, or point DOCKER_HOST at a daemon you may use; `docker version` must answer.",
    });
  }
  const stopped = /container (\S+) is (not running|restarting)/i.exec(failure.stderr)?.[1];
  if (command === "exec" && stopped !== undefined) {
    return new Refusal({
      code: "CONTAINER_STOPS",
      found: `a container of the stack does not run: ${failure.stderr}`,
      next: `docker logs --tail 50 ${stopped}    # then pulumi up`,
      cause: failure,
    });
  }
  return failure;
}
