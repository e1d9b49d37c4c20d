import { Refusal } from "../../settings/refusal.ts";
import { docker, DockerFailure } from "../docker/run.ts";

/** Where the trial runs: in the stack's own PostgreSQL container, or in a passing one of its image while there is none. */
export type TrialPlace = { readonly container: string } | { readonly image: string };

/**
 * Lets PostgreSQL itself read the values, without touching the running server: `postgres -C` gives each in base units.
 * With `start` (pass it when one of them needs a restart) a throw-away server is started with them on top of the real
 * server's configuration files, so that a server that would not come up again is noticed before anything stops. Takes 0.1 s,
 * with `start` 1 to 2 s.
 * Refuses `SETTING_INVALID` or `SETTING_UNKNOWN` with PostgreSQL's words.
 * @returns name → value in base units, as in `pg_settings.setting`.
 */
export async function trySettings(
  place: TrialPlace,
  settings: ReadonlyMap<string, string>,
  { start = false }: { readonly start?: boolean } = {},
): Promise<Map<string, string>> {
  if (settings.size === 0) return new Map();
  try {
    const printed = await docker(trialArguments(place, settings, start), { input: trialScript });
    const values = printed.split("\n");
    return new Map([...settings.keys()].map((name, index) => [name, values[index] ?? ""]));
  } catch (error) {
    if (error instanceof DockerFailure && error.exitCode === 65) throw refusal(error.stderr);
    throw error;
  }
}

/** Arguments for docker: values as arguments of their own, so that no shell ever reads them. Pure. */
export function trialArguments(
  place: TrialPlace,
  settings: ReadonlyMap<string, string>,
  start: boolean,
): string[] {
  const pairs = [...settings].flat();
  const shell = ["-s", start ? "start" : "read", ...pairs];
  return "container" in place
    ? ["exec", "-i", "-u", "postgres", place.container, "sh", ...shell]
    : [
        "run",
        "--rm",
        "-i",
        "--network",
        "none",
        "-u",
        "postgres",
        "--entrypoint",
        "sh",
        place.image,
        ...shell,
      ];
}

function refusal(stderr: string): Refusal {
  const words = stderr
    .split("\n")
    .map((line) => /(?:FATAL|ERROR|DETAIL|HINT|rollback): +(.*)/.exec(line)?.[1])
    .filter((line) => line !== undefined);
  return new Refusal({
    code: /unrecognized configuration parameter/.test(stderr) ? "SETTING_UNKNOWN" : "SETTING_INVALID",
    found: `PostgreSQL does not take the configured settings: ${words.length > 0 ? words.join("; ") : stderr}.`,
    untouched: "Nothing was changed and nothing was stopped.",
    next: "Correct the line under rollback:cluster.settings.",
  });
}

/**
 * Exit 65: a value was refused. In the throw-away server the archiver and pgBackRest must not touch the real archive, and it
 * listens on a socket of its own only. The real server's files come in by include, so that settings that only clash with one
 * another (wal_level with archive_mode) clash here as well.
 */
const trialScript = `set -eu
mode=$1; shift
PATH=$PATH:$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
scratch=$(mktemp -d)
trap 'pg_ctl -D "$scratch/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$scratch"' EXIT
mkdir -m 0700 "$scratch/data"
: > "$scratch/data/postgresql.conf"
refused() { cat "$1" >&2; exit 65; }

: > "$scratch/values"
options=$scratch/options.conf
: > "$options"
quote=\\'
while [ $# -gt 0 ]; do
  postgres -C "$1" -D "$scratch/data" -c "$1=$2" </dev/null >>"$scratch/values" 2>"$scratch/log" || refused "$scratch/log"
  doubled=$(printf '%s' "$2" | sed "s/$quote/$quote$quote/g")
  printf "%s = '%s'\\n" "$1" "$doubled" >> "$options"
  shift 2
done

if [ "$mode" = start ]; then
  rm -r "$scratch/data"
  initdb -D "$scratch/data" -A trust -U postgres --no-sync --no-instructions >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; exit 1; }
  conf=$scratch/data/postgresql.conf
  for file in postgresql.conf postgresql.auto.conf; do
    [ ! -e "\${PGDATA:-/nowhere}/$file" ] || echo "include '$PGDATA/$file'" >> "$conf"
  done
  { cat "$options"
    echo "data_directory = '$scratch/data'"
    echo "hba_file = '$scratch/data/pg_hba.conf'"
    echo "ident_file = '$scratch/data/pg_ident.conf'"
    echo "external_pid_file = ''"
    echo "listen_addresses = ''"
    echo "unix_socket_directories = '$scratch'"
    echo "archive_command = '/bin/true'"
    echo "archive_library = ''"
    echo "restore_command = ''"
    echo "logging_collector = off"
    echo "log_destination = 'stderr'"
    echo "fsync = off"
  } >> "$conf"
  pg_ctl -D "$scratch/data" -w -t 30 -l "$scratch/log" start >/dev/null 2>&1 || refused "$scratch/log"
fi
cat "$scratch/values"
`;
