import { Refusal } from "../../settings/refusal.ts";
import type { Service } from "../../settings/types.ts";
import { flagsText } from "../flags/flags.ts";
import { HostFailure, runScript } from "./host.ts";
import { aroundRelease, environmentText, filesOf, unitName } from "./unit.ts";

type Native = NonNullable<Service["native"]>;

/**
 * Writes standard input to `$1` unless it has that content, whole or not at all, with mode `$2`. `$3` is there from before
 * the change until somebody has read it, so that a run which is killed in between leaves the next one something to do.
 */
const writeScript = `umask 077; mkdir -p -m 0755 "$(dirname "$1")"; cat > "$1.new"; chmod "$2" "$1.new"
if cmp -s "$1.new" "$1"; then rm "$1.new"; else : > "$3"; mv -f "$1.new" "$1"; fi
[ -e "$3" ] && echo unread || echo read`;

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
    next: `Install ${native.unit} there and \`systemctl daemon-reload\`; docs/native.md shows one.`,
  });
}

/** Writes the environment that the unit reads; true: a running one has another. The values go over standard input only. */
export async function writeEnvironment(
  native: Native,
  release: string,
  port: number,
  variables: ReadonlyMap<string, string>,
): Promise<boolean> {
  const { environment, unread } = filesOf(native, release);
  const input = environmentText(port, variables);
  const values = [environment, "0600", unread.environment];
  return (await runScript(native.host, writeScript, values, { input })) === "unread";
}

/** Writes the flags that the release reads; true: a running one has not read them. */
export async function writeUnitFlags(
  native: Native,
  release: string,
  flags: ReadonlyMap<string, string>,
): Promise<boolean> {
  const { flags: file, unread } = filesOf(native, release);
  const input = flagsText(flags);
  return (await runScript(native.host, writeScript, [file, "0644", unread.flags], { input })) === "unread";
}

/** A running release has read its flags: nobody needs to tell it of them any more. */
export async function flagsAreRead(native: Native, release: string): Promise<void> {
  await runScript(native.host, `rm -f -- "$1"`, [filesOf(native, release).unread.flags]);
}

/** After a reboot it comes up again by itself; a unit without [Install] is left as it is. */
const enable = `[ "$(systemctl is-enabled -- "$1" 2>/dev/null)" != disabled ] || systemctl enable -q -- "$1"`;

/** Starts a release, also after a reboot; a running one is left alone. Throws the Refusal `NATIVE_START`. */
export async function startUnit(native: Native, release: string): Promise<void> {
  await control(
    native,
    release,
    `systemctl is-active -q -- "$1" || { systemctl start -- "$1"; rm -f -- "$2" "$3"; }; ${enable}`,
  );
}

/** Restarts a release, which then reads its environment and its flags. Throws the Refusal `NATIVE_START`. */
export async function restartUnit(native: Native, release: string): Promise<void> {
  await control(native, release, `systemctl restart -- "$1"; rm -f -- "$2" "$3"; ${enable}`);
}

/**
 * Stops every other unit of the service that runs, or that a reboot would start: also one that a killed run has started, or that
 * has died of itself. Only what has an environment of this program's counts as the service's. `$1` and `$2` are around the
 * release in a unit's name, `$3` is the folder, the others are what stays.
 */
const stopOthersScript = `start=$1; end=$2; folder=$3; shift 3
for file in "$folder"/env/*.env; do
  [ -e "$file" ] || continue
  unit=$start$(basename "$file" .env)$end
  for stays in "$@"; do [ "$stays" != "$unit" ] || continue 2; done
  runs=$(systemctl is-active -- "$unit" 2>/dev/null) || :
  enabled=$(systemctl is-enabled -- "$unit" 2>/dev/null) || :
  case "$runs/$enabled" in inactive/enabled | failed/enabled | active/* | activating/* | reloading/* | deactivating/*) ;; *) continue ;; esac
  systemctl stop -- "$unit"
  [ "$enabled" != enabled ] || systemctl disable -q -- "$unit"
  echo "$unit"
done`;

/** Stops the units of all releases but these, each within its own TimeoutStopSec, and keeps them stopped after a reboot; names them. */
export async function stopOthers(native: Native, stays: readonly string[]): Promise<string[]> {
  const values = [...aroundRelease(native.unit), native.directory, ...stays];
  try {
    const stopped = await runScript(native.host, stopOthersScript, values, { timeoutMs: 10 * 60_000 });
    return stopped.split("\n").filter((unit) => unit !== "");
  } catch (error) {
    if (!(error instanceof HostFailure)) throw error;
    throw new Refusal({
      code: "NATIVE_START",
      found: `a unit that leaves was not stopped: ${error.message}`,
      untouched: "It takes no traffic.",
      next: `systemctl status ${unitName(native.unit, "*")}`,
      cause: error,
    });
  }
}

async function control(native: Native, release: string, script: string): Promise<void> {
  const unit = unitName(native.unit, release);
  const { unread } = filesOf(native, release);
  try {
    const values = [unit, unread.environment, unread.flags];
    await runScript(native.host, script, values, { timeoutMs: 10 * 60_000 });
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
