import type { Client } from "pg";
import { z } from "zod";
import { stackLabel } from "../../settings/names.ts";
import { stackNames } from "../../settings/stack-names.ts";
import type { Settings } from "../../settings/types.ts";
import { withClient } from "../database/connection.ts";
import { sqlState } from "../database/errors.ts";
import { identifier, inTransaction, literal, rowOf } from "../database/query.ts";
import { claimRun, sessionName } from "../journal/run-token.ts";
import { access } from "../plan/access.ts";
import { carryOver } from "../recovery/carry-over.ts";
import { dockerPipe } from "../recovery/pipe.ts";
import { freshMark, keptMark } from "./names.ts";
import { assertNameFree, session, type ResetWork } from "./make.ts";
import { refuseReset } from "./refusals.ts";

/**
 * Closes the database in use to everybody but administrators, takes what is on record of the stack along, and changes names and
 * marks in one transaction. Until that commits nothing of the old one has changed; afterwards nothing is left to do.
 * To be called under the stack's lock.
 */
export async function switchReset(work: ResetWork): Promise<void> {
  const { settings, plan, say } = work;
  const name = identifier(plan.database);
  await withClient(
    access(settings),
    "postgres",
    async (client) => {
      await assertSuccessor(client, work);
      say(`closing ${plan.database}`);
      await client.query(`alter database ${name} connection limit 0`);
      try {
        await endSessions(client, [plan.database, plan.successor]);
        await takeAlong(work);
        say("took along what is on record of the stack");
        await changeNames(client, work);
      } catch (error) {
        // On a server that is gone the next run opens it.
        await client.query(`alter database ${name} connection limit -1`).catch(() => undefined);
        throw error;
      }
    },
    session(work),
  );
  say(
    `${plan.database} is ${plan.kind === "anew" ? "the new database" : `what ${plan.successor} was`}; the one before is kept as ${plan.keepAs}, open to administrators only`,
  );
}

/** The mark that the database which takes the name must have: made by this very run, or kept by a reset. */
function successorMark({ settings, plan, run }: ResetWork): string {
  return plan.kind === "anew" ? freshMark(run) : keptMark(stackLabel(settings), plan.database);
}

/** Another reset may have been at work between preparing and switching. */
async function assertSuccessor(client: Client, work: ResetWork): Promise<void> {
  await assertNameFree(client, work.plan);
  const { ours } = await rowOf(
    client,
    z.object({ ours: z.boolean() }),
    `select exists (select from pg_database where datname = $1 and shobj_description(oid, 'pg_database') = $2) as ours`,
    [work.plan.successor, successorMark(work)],
  );
  if (ours) return;
  throw refuseReset(
    "RESET_OVERTAKEN",
    `${work.plan.successor} is not what this run prepared any more; another reset was at work.`,
    "See what that one has done, and repeat.",
  );
}

async function takeAlong({ settings, plan, run }: ResetWork): Promise<void> {
  const server = access(settings);
  const side = { container: stackNames(settings).postgres, server };
  await copyRecords(settings, plan.database, plan.successor);
  await claimRun(
    server,
    plan.successor,
    { stack: stackLabel(settings), run },
    { applicationName: sessionName(run, "reset") },
  );
  await carryOver({
    ...{ from: side, to: side, databases: [plan.database], as: plan.successor, run },
    recovered: {
      kind: plan.kind === "anew" ? "reset" : "reset taken back",
      from: plan.keepAs,
      ...(plan.dump === undefined ? {} : { dump: plan.dump.name }),
      ...(plan.pack === undefined ? {} : { pack: plan.pack.name }),
      ...(plan.tables === undefined ? {} : { tables: plan.tables }),
    },
  });
}

/** Attempts of the change of names: an administrator's session may come in between ending all and renaming. */
const attempts = 10;

async function changeNames(client: Client, work: ResetWork): Promise<void> {
  const { settings, plan } = work;
  const [name, successor, kept] = [plan.database, plan.successor, plan.keepAs].map(identifier);
  const mark = literal(keptMark(stackLabel(settings), plan.database));
  for (let attempt = 1; ; attempt += 1) {
    await endSessions(client, [plan.database, plan.successor]);
    try {
      await inTransaction(client, async () => {
        await assertSuccessor(client, work);
        await client.query(`alter database ${name} rename to ${kept}`);
        await client.query(`alter database ${successor} rename to ${name}`);
        await client.query(`comment on database ${kept} is ${mark}`);
        await client.query(`comment on database ${name} is null`);
        await client.query(`alter database ${name} connection limit -1`);
      });
      return;
    } catch (error) {
      if (sqlState(error) !== objectInUse || attempt === attempts) throw error;
    }
  }
}

const objectInUse = "55006";

/** What is kept of the stack beside the ledger (journal, archives and the like), as it is: tables that the other does not have yet. */
async function copyRecords(settings: Settings, from: string, to: string): Promise<void> {
  const tables = (name: string): Promise<string[]> =>
    withClient(access(settings), name, async (client) => {
      const { rows } = await client.query<{ name: string }>(
        "select relname as name from pg_class where relnamespace = to_regnamespace('rollback') and relkind = 'r'",
      );
      return rows.map((row) => row.name);
    });
  const there = new Set(await tables(to));
  const missing = (await tables(from)).filter((name) => !there.has(name));
  if (missing.length === 0) return;
  const container = stackNames(settings).postgres;
  await dockerPipe(
    [
      ...[container, "pg_dump", "-d", from],
      ...missing.flatMap((name) => ["-t", `rollback.${identifier(name)}`]),
    ],
    [container, "psql", "-qX", "-v", "ON_ERROR_STOP=1", "-1", "-d", to],
  );
}

async function endSessions(client: Client, databases: readonly string[]): Promise<void> {
  await client.query(
    "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = any($1) and pid <> pg_backend_pid()",
    [databases],
  );
}
