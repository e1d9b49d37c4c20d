import { mkdir } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import path from "node:path";
import { execa, ExecaError } from "execa";
import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import type { NativeHost } from "../../settings/types.ts";

/** A script that failed on the service's host, in its own words. */
export class HostFailure extends Error {
  override readonly name = "HostFailure";
  readonly stderr: string;
  readonly exitCode: number | undefined;
  constructor(where: string, stderr: string, exitCode: number | undefined) {
    super(`${where}: ${stderr === "" ? `exit code ${exitCode ?? "?"}` : stderr}`);
    this.stderr = stderr;
    this.exitCode = exitCode;
  }
}

export interface ScriptOptions {
  /** Standard input; the way for secrets, which no argument may be. */
  readonly input?: string;
  /** Milliseconds (default 60 s). */
  readonly timeoutMs?: number;
}

/**
 * Runs a few lines of sh as root on the service's host, this machine or another one over SSH; what varies goes in as `$1`, `$2`, …
 * Whoever is not root needs `sudo` without a password. Throws the Refusal `NATIVE_UNREACHABLE`, else `HostFailure`.
 */
export async function runScript(
  host: NativeHost | undefined,
  script: string,
  values: readonly string[],
  { input = "", timeoutMs = 60_000 }: ScriptOptions = {},
): Promise<string> {
  const command = scriptCommand(script, values);
  const [file = "", ...args] = host === undefined ? ["sh", "-c", command] : await sshCommand(host, command);
  try {
    const { stdout } = await execa(file, args, { input, timeout: timeoutMs });
    return stdout;
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    const stderr = z.string().catch("").parse(error.stderr).trim();
    // 255 is ssh's own: the other end was not reached, or did not let us in.
    if (host !== undefined && (error.exitCode === 255 || error.code === "ENOENT" || error.timedOut))
      throw unreachable(host, stderr === "" ? error.shortMessage : stderr, error);
    throw new HostFailure(host?.address ?? "this machine", stderr, error.exitCode);
  }
}

/** One line for a POSIX shell. Pure. */
export function scriptCommand(script: string, values: readonly string[]): string {
  const root = `if [ "$(id -u)" = 0 ]; then exec sh -c "$@"; else exec sudo -n sh -c "$@"; fi`;
  return ["sh", "-c", root, "sh", `set -eu; ${script}`, "rollback", ...values].map(quoted).join(" ");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", () => `'\\''`)}'`;
}

/** `ssh` without questions, to a host whose key is known; one connection is kept for the next commands. Pure but for the folder. */
async function sshCommand(host: NativeHost, command: string): Promise<string[]> {
  const folder = path.join(process.env["XDG_RUNTIME_DIR"] ?? tmpdir(), `rollback-ssh-${userInfo().uid}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return sshArguments(host, folder, command);
}

/** Pure. */
export function sshArguments(host: NativeHost, sockets: string, command: string): string[] {
  const option = (name: string, value: string): string[] => ["-o", `${name}=${value}`];
  return [
    "ssh",
    ...option("BatchMode", "yes"),
    ...option("StrictHostKeyChecking", "yes"),
    ...option("ConnectTimeout", "10"),
    ...option("ServerAliveInterval", "5"),
    ...option("ControlMaster", "auto"),
    ...option("ControlPath", `${sockets}/%C`),
    ...option("ControlPersist", "30"),
    ...(host.knownHosts === undefined ? [] : option("UserKnownHostsFile", host.knownHosts)),
    ...(host.key === undefined ? [] : ["-i", host.key, ...option("IdentitiesOnly", "yes")]),
    ...["-p", String(host.port), "-T"],
    ...["--", host.user === undefined ? host.address : `${host.user}@${host.address}`, command],
  ];
}

function unreachable(host: NativeHost, why: string, cause: unknown): Refusal {
  return new Refusal({
    code: "NATIVE_UNREACHABLE",
    found: `${host.address} cannot be reached over SSH: ${why}`,
    untouched: "Nothing was changed there.",
    next: `Try it by hand:  ssh -o BatchMode=yes -p ${host.port} ${host.user === undefined ? "" : `${host.user}@`}${host.address} true`,
    cause,
  });
}
