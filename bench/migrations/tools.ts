import path from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { docker } from "../../operations/docker/run.ts";
import type { Server } from "../../operations/database/connection.ts";
import { dbmateTable } from "./server.ts";
import type { World } from "./server.ts";

/** A way of taking a whole chain back; returns milliseconds. */
export type Reverse = (world: World, database: string) => Promise<number>;

const checkout = path.join(import.meta.dirname, "../..");

/** `psql -1` beside the server, over TCP; `docker exec` is not part of its time. */
export const psql: Reverse = async ({ postgres, script }, database) => {
  const { user, password } = postgres.server;
  await docker(["exec", "-i", postgres.container, "sh", "-c", "cat > /tmp/reversal.sql"], { input: script });
  const timed = [
    "began=$(date +%s%N)",
    `psql -X -q -1 -v ON_ERROR_STOP=1 -f /tmp/reversal.sql >/tmp/reversal.log 2>&1 || { cat /tmp/reversal.log; exit 1; }`,
    "echo $(( $(date +%s%N) - began ))",
  ].join("; ");
  const environment = { PGHOST: "127.0.0.1", PGUSER: user, PGPASSWORD: password, PGDATABASE: database };
  const given = Object.entries(environment).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  const nanoseconds = await docker(["exec", ...given, postgres.container, "sh", "-c", timed]);
  return Number(nanoseconds) / 1e6;
};

const measured = z.object({
  plan: z.number(),
  milliseconds: z.number(),
  rest: z.number(),
  peak: z.number(),
});

/** Ours, `planned` as it runs inside `pulumi up`; see child.ts. */
export async function ours(
  world: World,
  database: string,
  planned: boolean,
): Promise<z.infer<typeof measured>> {
  const child = [path.join(import.meta.dirname, "child.ts"), world.folders.golangMigrate];
  const { stdout } = await execa(process.execPath, planned ? [...child, "planned"] : child, {
    env: { DATABASE_URL: url(world.postgres.server, database) },
  });
  return measured.parse(JSON.parse(stdout));
}

/** Ours as a command, from start to end of the process. */
export const command: Reverse = (world, database) =>
  timed(
    process.execPath,
    [
      ...[path.join(checkout, "cli/rollback.mjs"), "migrations", "down", "--to", "0"],
      ...["--folder", world.folders.golangMigrate],
    ],
    { DATABASE_URL: url(world.postgres.server, database) },
  );

export const nodePgMigrate: Reverse = (world, database) =>
  timed(
    process.execPath,
    [
      path.join(checkout, "node_modules/node-pg-migrate/bin/node-pg-migrate.js"),
      ...["down", String(world.links.length), "-m", world.folders.nodePgMigrate],
    ],
    { DATABASE_URL: url(world.postgres.server, database) },
  );

export function golangMigrate(binary: string): Reverse {
  return (world, database) =>
    timed(binary, [
      ...["-path", world.folders.golangMigrate],
      ...["-database", url(world.postgres.server, database), "down", "-all"],
    ]);
}

/** It takes back one migration per process: that is how it is used. */
export function dbmate(binary: string): Reverse {
  return async (world, database) => {
    let sum = 0;
    for (let step = 0; step < world.links.length; step += 1) {
      sum += await timed(
        binary,
        [
          ...["--no-dump-schema", "--migrations-dir", world.folders.dbmate],
          ...["--migrations-table", dbmateTable, "rollback"],
        ],
        { DATABASE_URL: url(world.postgres.server, database) },
      );
    }
    return sum;
  };
}

async function timed(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const began = performance.now();
  await execa(program, [...args], { env, stdin: "ignore" });
  return performance.now() - began;
}

function url({ host, port, user, password }: Server, database: string): string {
  return `postgres://${user}:${password}@${host}:${String(port)}/${database}?sslmode=disable`;
}
