import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
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
 * Starts one on a free port of loopback. `dumpsSize` puts the dump folder on a file system of that size (e.g. `8m`).
 * Needs the image `rollback-postgres:17.1`.
 */
export async function startPostgres({ dumpsSize }: { dumpsSize?: string } = {}): Promise<TestPostgres> {
  const container = `rbt-postgres-${randomBytes(4).toString("hex")}`;
  const password = randomBytes(12).toString("hex");
  const port = await freePort();
  const dumps =
    dumpsSize === undefined ? [] : ["--tmpfs", `/var/lib/dumps:size=${dumpsSize},uid=999,gid=999,mode=0700`];
  const remove = async (): Promise<void> => {
    await docker(["rm", "-f", "-v", container]);
  };
  const as = (user: string, secret: string): Server => ({
    host: "127.0.0.1",
    port,
    user,
    password: secret,
    ssl: "disable",
  });
  const server = as("postgres", password);
  try {
    await docker([
      ...["run", "-d", "--name", container, "-p", `127.0.0.1:${String(port)}:5432`, "--shm-size", "128m"],
      // Without a name the volumes go with the container.
      ...["-v", "/var/lib/postgresql/data", ...dumps],
      ...[
        "-e",
        "PG_INIT=allow",
        "-e",
        `PG_SCRAM=${scramVerifier(password, container)}`,
        "rollback-postgres:17.1",
      ],
    ]);
    await waitUntilReady(server, 60_000, () => undefined);
  } catch (error) {
    await remove().catch(() => undefined);
    throw error;
  }
  const restart = async (): Promise<void> => {
    await docker(["restart", "--time", "30", container]);
    await waitUntilReady(server, 30_000, () => undefined);
  };
  return { container, server, as, restart, remove };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
