import assert from "node:assert/strict";
import { execa } from "execa";
import { docker } from "../../operations/docker/run.ts";
import type { StackOptions } from "../../examples/meal-planner/stack.ts";
import type { Config, ScratchStack } from "./stack.ts";

/** What a recovery is asked of, beside the stack it is asked of. */
export interface Asked {
  readonly target: Readonly<Record<string, string>>;
  /** Default: beside the volume in use. */
  readonly volume?: string;
  /** Default: the stack's first volume. */
  readonly from?: string;
  readonly laterWrites?: "keep" | "drop";
  /** Laid over `rollback:cluster`. */
  readonly cluster?: Readonly<Record<string, unknown>>;
}

/** Parts of a stack that no test of a recovery needs are left out. */
export const quickStack: Omit<StackOptions, "live"> = {
  // A workload's tables are in no migration: to a release that follows they are a change by hand.
  ...{ safety: { bake: "0s", onDifference: "warn" }, redis: false },
  // On a busy machine a recovery's fence takes its time, and nobody waits at this one.
  gateway: { hold: "2m" },
};

/** A configuration with an archive of the WAL; a full base backup is due once, after the first `up`. */
export function archived(config: Config, more: Readonly<Record<string, unknown>> = {}): Config {
  const cluster = config["rollback:cluster"] as Record<string, unknown>;
  const backup = { ...(cluster["backup"] as object), schedule: "0 3 1 1 *", retention: { full: 20 } };
  return { ...config, "rollback:cluster": { ...cluster, backup, ...more } };
}

/** Writes the stack file so that the next `up` recovers. */
export async function askRecovery(stack: ScratchStack, options: StackOptions, asked: Asked): Promise<void> {
  const { target, laterWrites, cluster } = asked;
  const from = asked.from ?? stack.volumes.data;
  const volume = asked.volume ?? `${stack.volumes.data}-2`;
  const recovery = { volume, from, target, ...(laterWrites === undefined ? {} : { laterWrites }) };
  await stack.configure(options, (config) => ({
    ...archived(config, { volume, ...cluster }),
    "rollback:recovery": recovery,
  }));
}

/** Asserts that a command was refused with this code, and with no other. */
export function assertRefused(output: string, code: string): void {
  assert.deepEqual(
    [...new Set([...output.matchAll(/refused ([A-Z_]+):/g)].map(([, found]) => found))],
    [code],
    output,
  );
}

/** Makes an image from PostgreSQL's own with these lines of a Dockerfile; remove it afterwards. */
export async function derivedImage(tag: string, lines: readonly string[]): Promise<void> {
  await execa("docker", ["build", "--quiet", "--tag", tag, "-"], {
    input: ["FROM rollback-postgres:17.1", ...lines].join("\n"),
  });
}

/** Shell in a passing container of the stack's own image, with these volumes; prints what it printed. */
export function inVolumes(volumes: Readonly<Record<string, string>>, script: string): Promise<string> {
  return docker([
    ...["run", "--rm", "--entrypoint", "bash"],
    ...Object.entries(volumes).flatMap(([volume, folder]) => ["-v", `${volume}:${folder}`]),
    ...["rollback-postgres:17.1", "-ec", script],
  ]);
}

/** One checksum of every file of a volume, its modes and owners. */
export function volumeChecksum(volume: string): Promise<string> {
  const script =
    "cd /v; { find . -printf '%p %m %U:%G\\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum; } | sha256sum";
  return inVolumes({ [volume]: "/v" }, script);
}

/**
 * What a plain `pgbackrest restore` of the archive as it is now leads to: the lines that a query prints there. Neither archive nor
 * volume are written to.
 */
export async function restoredByDefault(
  stack: ScratchStack,
  volume: string,
  database: string,
  sql: string,
): Promise<string[]> {
  const config = "/var/lib/postgresql/data/rollback-pgbackrest.conf";
  await docker(["exec", stack.names.postgres, "pgbackrest", `--config=${config}`, "--stanza=main", "check"]);
  const script = `
    sed 's,^pg1-path=.*,pg1-path=/tmp/restored,' /old/rollback-pgbackrest.conf > /tmp/conf
    mkdir -m 700 /tmp/restored
    pgbackrest --config=/tmp/conf --stanza=main --type=default --archive-mode=off restore
    pg_ctl -D /tmp/restored -w -l /tmp/log -o '-c port=6000 -c archive_mode=off' start > /dev/null
    until [ "$(psql -p 6000 -qAtc 'select pg_is_in_recovery()')" = f ]; do sleep 0.1; done
    psql -p 6000 -qAt -d "$0" -c "$1"`;
  const printed = await docker([
    ...["run", "--rm", "-v", `${volume}:/old:ro`, "-v", `${stack.volumes.dumps}:/var/lib/dumps:ro`],
    ...["--entrypoint", "bash", "rollback-postgres:17.1", "-ec", script, database, sql],
  ]);
  return printed.split("\n").filter(Boolean);
}
