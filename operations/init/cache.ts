import { docker, DockerFailure } from "../docker/run.ts";
import type { RunningService } from "./containers.ts";

/** A Redis server of a compose project. */
export interface FoundCache {
  /** In the compose file. */
  readonly service: string;
  readonly container: string;
  /** What to clear when code or schema changes: a pattern, or `all`. */
  readonly clear: string;
  /** Whether the user said so. */
  readonly said: boolean;
  /** Keys it holds; undefined: it does not tell. */
  readonly keys: number | undefined;
  /** Beginnings of its keys up to the first colon, of a sample. */
  readonly beginnings: readonly string[];
}

/** What is cleared unless the user says otherwise: too little is mended by a word, too much by nobody. */
const carefully = "cache:*";

/** Asks a Redis server what it holds, by a sample. */
export async function readCache(
  { service, containers: [container] }: RunningService,
  clear: string | undefined,
): Promise<FoundCache> {
  const [size, sample] = await Promise.all([
    ask(container.name, ["DBSIZE"]),
    ask(container.name, ["SCAN", "0", "COUNT", "500"]),
  ]);
  const count = Number(/\d+/.exec(size ?? "")?.[0]);
  return {
    service: service.name,
    container: container.name,
    clear: clear ?? carefully,
    said: clear !== undefined,
    keys: Number.isFinite(count) ? count : undefined,
    beginnings: beginningsOf((sample ?? "").split("\n").slice(1)),
  };
}

/** `session:` of `session:42`; what has no colon has no beginning. Pure. */
export function beginningsOf(keys: readonly string[]): string[] {
  const found = keys.flatMap((key) => {
    const at = key.indexOf(":");
    return at <= 0 ? [] : [key.slice(0, at + 1)];
  });
  return [...new Set(found)].sort().slice(0, 8);
}

async function ask(container: string, command: readonly string[]): Promise<string | undefined> {
  try {
    return await docker(["exec", container, "redis-cli", "--raw", ...command]);
  } catch (error) {
    // Without a client, or behind a password: then it is not known what it holds, and that is said.
    if (error instanceof DockerFailure) return undefined;
    throw error;
  }
}
