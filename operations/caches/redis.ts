import { z } from "zod";
import { DockerFailure, docker } from "../docker/run.ts";
import { Refusal } from "../../settings/refusal.ts";

/** What to clear: the keys that match a glob, or everything in every database of the server. */
export type Clearing = { readonly pattern: string } | { readonly all: true };

/** Keys looked at in one step; a step blocks the server for about a millisecond. */
const batch = 1_000;

// SCAN and UNLINK in one step inside the server: key names of any bytes never leave it. UNLINK frees memory in the
// background; a key that SCAN shows twice is counted once, since UNLINK counts what it removed.
const step = `
local found = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])
local removed = 0
for from = 1, #found[2], 1000 do
  removed = removed + redis.call('UNLINK', unpack(found[2], from, math.min(from + 999, #found[2])))
end
return found[1] .. ' ' .. removed`;

// Pattern and script arrive as positional arguments: no part of them is ever read as shell. A cursor is a number.
const loop = `
set -eu
cursor=0 total=0
while :; do
  answer=$(redis-cli -e --raw EVAL "$1" 0 "$cursor" "$2" "$3")
  cursor=\${answer% *}
  total=$((total + \${answer#* }))
  [ "$cursor" != 0 ] || break
done
echo "$total"`;

const everything = `
set -eu
redis-cli -e --raw EVAL "local n = 0
for line in redis.call('INFO', 'keyspace'):gmatch('keys=(%d+)') do n = n + tonumber(line) end
return n" 0
redis-cli -e --raw FLUSHALL ASYNC > /dev/null`;

/**
 * Removes keys from the Redis in a container and returns how many; 0 when there was nothing to do. By pattern: database
 * 0, with SCAN and UNLINK, so that the server goes on answering. All: FLUSHALL, only ever when the configuration says so.
 * Works with any image that has `sh` and `redis-cli`; a password is the container's own `REDISCLI_AUTH`.
 * Throws a Refusal `CACHE_NOT_CLEARED` with Redis's own words.
 */
export async function clearRedis(
  container: string,
  what: Clearing,
  say: (line: string) => void = () => undefined,
): Promise<number> {
  const command = clearCommand(what);
  try {
    const said = await docker(["exec", container, ...command], { timeoutMs: 300_000 });
    const removed = z.coerce.number().int().nonnegative().parse(said.trim());
    say(
      `${container}: ${removed} keys removed (${"all" in what ? "everything" : `pattern ${JSON.stringify(what.pattern)}`})`,
    );
    return removed;
  } catch (error) {
    if (!(error instanceof DockerFailure)) throw error;
    throw new Refusal({
      code: "CACHE_NOT_CLEARED",
      found: `the cache ${container} could not be cleared: ${error.stderr || error.message}`,
      untouched: "Some of its keys may be gone; that is harmless and can be repeated.",
      next: `docker exec ${container} redis-cli PING`,
      cause: error,
    });
  }
}

/** What is run in the container, as arguments. Throws a TypeError for an empty pattern. */
export function clearCommand(what: Clearing): string[] {
  if ("all" in what) return ["sh", "-c", everything];
  if (what.pattern === "" || what.pattern.includes("\0"))
    throw new TypeError("a pattern is neither empty nor has a NUL");
  return ["sh", "-c", loop, "sh", step, what.pattern, String(batch)];
}
