import { Refusal } from "../../settings/refusal.ts";
import type { Service } from "../../settings/types.ts";
import { flagsText } from "../flags/flags.ts";
import { HostFailure, runScript } from "./host.ts";
import { environmentText, filesOf, unitName } from "./unit.ts";

type Native = NonNullable<Service["native"]>;

/** Writes standard input to `$1` unless it has that content, whole or not at all, with mode `$2`; says which. */
const writeScript = `umask 077; mkdir -p -m 0755 "$(dirname "$1")"; cat > "$1.new"; chmod "$2" "$1.new"
if cmp -s "$1.new" "$1"; then rm "$1.new"; echo same; else mv -f "$1.new" "$1"; echo changed; fi`;

/** Refuses, before anything stops, what could not be started: `NATIVE_RELEASE_GONE`, `NATIVE_UNIT_MISSING`. */
export async function checkRelease(native: Native, release: string): Promise<void> {
  const unit = unitName(native.unit, release);
  const { folder } = filesOf(native, release);
  const said = await runScript(
    native.host,
    `[ -d "$2" ] && echo there || echo gone; systemctl show -p LoadState --value -- "$1"`,
    [unit, folder],
  );
  const [there, loaded] = said.split("\n");
  const where = native.host?.address ?? "this machine";
  if (there !== "there") {
    throw new Refusal({
      code: "NATIVE_RELEASE_GONE",
      found: `there is no ${folder} on ${where}.`,
      untouched: "Nothing was stopped; what was serving still serves.",
      next: `Unpack release ${release} there, then run \`pulumi up\` again.`,
    });
  }
  if (loaded === "loaded") return;
  throw new Refusal({
    code: "NATIVE_UNIT_MISSING",
    found: `systemd on ${where} has no unit ${unit} (${loaded ?? "unknown"}).`,
    untouched: "Nothing was stopped; what was serving still serves.",
    next: `Install the template ${native.unit} there and \`systemctl daemon-reload\`; docs/native.md shows one.`,
  });
}

/** Writes the environment that the unit reads; true: it has changed. The values go over standard input only. */
export async function writeEnvironment(
  native: Native,
  release: string,
  port: number,
  variables: ReadonlyMap<string, string>,
): Promise<boolean> {
  const { environment } = filesOf(native, release);
  const said = await runScript(native.host, writeScript, [environment, "0600"], {
    input: environmentText(port, variables),
  });
  return said === "changed";
}

/** Writes the flags that the release reads; true: they have changed. */
export async function writeUnitFlags(
  native: Native,
  release: string,
  flags: ReadonlyMap<string, string>,
): Promise<boolean> {
  const { flags: file } = filesOf(native, release);
  return (
    (await runScript(native.host, writeScript, [file, "0644"], { input: flagsText(flags) })) === "changed"
  );
}

/** Starts a release, also after a reboot; a running one is left alone. Throws the Refusal `NATIVE_START`. */
export async function startUnit(native: Native, release: string): Promise<void> {
  await control(
    native,
    release,
    `systemctl start -- "$1"; [ "$(systemctl is-enabled -- "$1" 2>/dev/null)" != disabled ] || systemctl enable -q -- "$1"`,
  );
}

export async function restartUnit(native: Native, release: string): Promise<void> {
  await control(native, release, `systemctl restart -- "$1"`);
}

/** Stops a release within the unit's own TimeoutStopSec, and keeps it stopped after a reboot. */
export async function stopUnit(native: Native, release: string): Promise<void> {
  await control(
    native,
    release,
    `systemctl stop -- "$1"; [ "$(systemctl is-enabled -- "$1" 2>/dev/null)" != enabled ] || systemctl disable -q -- "$1"`,
  );
}

async function control(native: Native, release: string, script: string): Promise<void> {
  const unit = unitName(native.unit, release);
  try {
    await runScript(native.host, script, [unit], { timeoutMs: 10 * 60_000 });
  } catch (error) {
    if (!(error instanceof HostFailure)) throw error;
    const log = await unitLog(native, release, undefined).catch(() => "");
    const last = log.split("\n").findLast((line) => line.trim() !== "");
    throw new Refusal({
      code: "NATIVE_START",
      found: `${error.message}${last === undefined ? "" : `; its last words: ${last}`}`,
      untouched: "It takes no traffic.",
      next: `journalctl -u ${unit} -n 50`,
      cause: error,
    });
  }
}

export async function unitRuns(native: Native, release: string): Promise<boolean> {
  const said = await runScript(native.host, `systemctl is-active -- "$1" || :`, [
    unitName(native.unit, release),
  ]);
  return ["active", "activating", "reloading"].includes(said.trim());
}

/** What the release has logged, since a moment or at last. */
export async function unitLog(native: Native, release: string, since: Date | undefined): Promise<string> {
  const range = since === undefined ? ["-n", "20"] : ["--since", `@${Math.floor(since.getTime() / 1000)}`];
  return runScript(native.host, `unit=$1; shift; journalctl -q -o cat --no-pager "$@" -u "$unit"`, [
    unitName(native.unit, release),
    ...range,
  ]);
}

/** Points `current` at a release's folder in one step: whoever follows it finds the old one or the new one, never none. */
export async function switchCurrent(native: Native, release: string): Promise<void> {
  const { current, folder } = filesOf(native, release);
  await runScript(
    native.host,
    `[ "$(readlink "$1" 2>/dev/null)" = "$2" ] || { ln -sfn "$2" "$1.new"; mv -fT "$1.new" "$1"; }`,
    [current, folder],
  );
}
