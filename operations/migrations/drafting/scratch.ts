import { randomBytes } from "node:crypto";
import { identifier } from "../../database/query.ts";
import { withClient } from "../../database/connection.ts";
import type { Server } from "../../database/connection.ts";
import type { TrackingName } from "../catalogue/sql.ts";
import type { Scratch } from "./prove.ts";

export interface ScratchOptions {
  /** Role that may create databases and act as `owner`. */
  readonly server: Server;
  readonly owner: string;
  readonly tracking: TrackingName;
  /** Extensions that are there before the first migration, by name. */
  readonly extensions: readonly string[];
}

/** Makes an empty database beside the others, lets `work` use it, and drops it whatever happens. */
export async function withScratch<T>(
  { server, owner, tracking, extensions }: ScratchOptions,
  work: (scratch: Scratch) => Promise<T>,
): Promise<T> {
  const name = `rollback_scratch_${randomBytes(6).toString("hex")}`;
  return withClient(server, "postgres", async (admin) => {
    await admin.query(
      `CREATE DATABASE ${identifier(name)} TEMPLATE template0 ENCODING 'UTF8' OWNER ${identifier(owner)}`,
    );
    try {
      return await withClient(
        server,
        name,
        async (client) => {
          await client.query(`ALTER SCHEMA public OWNER TO ${identifier(owner)}`);
          for (const extension of extensions)
            await client.query(`CREATE EXTENSION IF NOT EXISTS ${identifier(extension)} CASCADE`);
          return work({ client, owner, tracking });
        },
        { applicationName: "rollback draft" },
      );
    } finally {
      await admin.query(`DROP DATABASE IF EXISTS ${identifier(name)} WITH (FORCE)`);
    }
  });
}
