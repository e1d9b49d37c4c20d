import { randomBytes } from "node:crypto";
import type { Server } from "../../operations/database/connection.ts";
import { waitUntilReady } from "../../operations/database/connection.ts";
import { docker } from "../../operations/docker/run.ts";
import { scramVerifier } from "../../settings/secrets.ts";

/** A PostgreSQL of the project's own image for one test file. */
export interface TestPostgres {
  readonly container: string;
  /** As superuser `postgres`. */
  readonly server: Server;
  /** The same server as another role. */
  as(user: string, password: string): Server;
  restart(): Promise<void>;
  /** Removes the container and everything in it. */
  remove(): Promise<void>;
}

/**
 * Starts one in memory on a free port of loopback. `dumpsSize` puts the dump folder on a file system of that size (e.g. `8m`).
 * Needs the image `rollback-postgres:17`.
 */
export async function startPostgres({ dumpsSize }: { dumpsSize?: string } = {}): Promise<TestPostgres> {
  const container = `rbt-postgres-${randomBytes(4).toString("hex")}`;
  const password = randomBytes(12).toString("hex");
  const owned = "uid=999,gid=999,mode=0700";
  const dumps = dumpsSize === undefined ? [] : ["--tmpfs", `/var/lib/dumps:size=${dumpsSize},${owned}`];
  const remove = async (): Promise<void> => {
    await docker(["rm", "-f", "-v", container]);
  };
  try {
    await docker([
      ...["run", "-d", "--name", container, "-p", "127.0.0.1::5432", "--shm-size", "128m"],
      ...["--tmpfs", `/var/lib/postgresql/data:${owned}`, ...dumps],
      ...[
        "-e",
        "PG_INIT=allow",
        "-e",
        `PG_SCRAM=${scramVerifier(password, container)}`,
        "rollback-postgres:17",
      ],
      // A tmpfs is empty after a restart of the container, so only the server inside is restarted; see `restart`.
      ...["sh", "-c", restartLoop],
    ]);
    const address = await docker(["port", container, "5432/tcp"]);
    const port = Number(address.split("\n")[0]?.split(":").at(-1));
    const as = (user: string, secret: string): Server => ({
      host: "127.0.0.1",
      port,
      user,
      password: secret,
      ssl: "disable",
    });
    const server = as("postgres", password);
    await waitUntilReady(server, 60_000, () => undefined);
    const restart = async (): Promise<void> => {
      await docker(["exec", "-u", "postgres", container, "pg_ctl", "-w", "-m", "fast", "stop"]);
      await waitUntilReady(server, 30_000, () => undefined);
    };
    return { container, server, as, restart, remove };
  } catch (error) {
    await remove().catch(() => undefined);
    throw error;
  }
}

const restartLoop = "while true; do rollback-postgres & wait $!; sleep 0.2; done";
