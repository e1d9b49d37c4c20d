import { setTimeout as sleep } from "node:timers/promises";
import type { Client, ClientBase } from "pg";
import { z } from "zod";
import { Refusal } from "../settings/refusal.ts";
import type { Say, Server } from "./database/connection.ts";
import { close, connect } from "./database/connection.ts";
import { rowOf, rowsOf } from "./database/query.ts";
import { endSessionsOf, runOfSession, sessionName } from "./journal/run-token.ts";

export interface LockRequest {
  /** `project/stack`; what is locked. */
  readonly stack: string;
  readonly run: string;
  /** What for, e.g. the effect's name; shown to whoever waits. */
  readonly purpose: string;
  /**
   * End the sessions of another run that holds it. Right for an `up`, because the engine's own lock admits one at a time and
   * whoever holds this one is what is left of a killed engine. Wrong for everything else.
   */
  readonly takeOver: boolean;
  /** Milliseconds to wait for it. Default 10 000. */
  readonly waitMs?: number;
  /** Default `postgres`; must be the same for all, since PostgreSQL keeps these locks per database. */
  readonly database?: string;
  readonly say?: Say;
}

/** Told when the lock is lost while it is held: its session was ended or the line broke. */
export interface HeldLock {
  readonly signal: AbortSignal;
  /** Asks the server; throws a Refusal `LOCK_LOST` when it is not held any more. */
  readonly assertHeld: () => Promise<void>;
}

const holderSchema = z.object({
  pid: z.number(),
  role: z.string().nullable(),
  application: z.string().nullable(),
  since: z.string(),
  client: z.string().nullable(),
});
type Holder = z.output<typeof holderSchema>;

/**
 * Holds the stack's lock while `work` runs. It is an advisory lock on a connection of its own and is asked for again and again,
 * never waited for inside PostgreSQL: a waiting session would hold a snapshot and hang CREATE INDEX CONCURRENTLY.
 * The lock goes when its session does, so a killed program leaves nothing behind.
 * Refusal `RUN_IN_PROGRESS` with who holds it since when; `LOCK_LOST` when it was lost before `work` was done.
 */
export async function withLock<T>(
  server: Server,
  request: LockRequest,
  work: (lock: HeldLock) => Promise<T>,
): Promise<T> {
  const client = await connect(server, request.database ?? "postgres", {
    applicationName: sessionName(request.run, request.purpose),
  });
  try {
    await acquire(client, request);
    const lost = new AbortController();
    client.once("error", () => lost.abort(lockLost(request)));
    client.once("end", () => lost.abort(lockLost(request)));
    const assertHeld = (): Promise<void> => assertLockHeld(client, request, lost.signal);
    const result = await work({ signal: lost.signal, assertHeld });
    await assertHeld();
    return result;
  } finally {
    await close(client);
  }
}

/** Who holds the lock of a stack at the moment, for showing it. */
export async function lockHolder(client: ClientBase, stack: string): Promise<Holder | undefined> {
  const [holder] = await rowsOf(client, holderSchema, holderSelect, [stack]);
  return holder;
}

async function acquire(client: Client, request: LockRequest): Promise<void> {
  const end = performance.now() + (request.waitMs ?? 10_000);
  const told = new Set<string>();
  for (;;) {
    const { got } = await rowOf(
      client,
      z.object({ got: z.boolean() }),
      `select pg_try_advisory_lock(${lockKey}) as got`,
      [request.stack],
    );
    if (got) return;
    const holder = await lockHolder(client, request.stack);
    const run = runOfSession(holder?.application ?? "");
    if (holder !== undefined && request.takeOver && run !== undefined && run !== request.run) {
      if (!told.has(run))
        request.say?.(`taking over from run ${run}, at work since ${holder.since} (pid ${holder.pid})`);
      told.add(run);
      await endSessionsOf(client, run);
    } else if (holder !== undefined && performance.now() > end) {
      throw inProgress(request.stack, holder);
    } else if (holder !== undefined && !told.has("")) {
      request.say?.(`waiting for ${describe(holder)}`);
      told.add("");
    }
    await sleep(50 + Math.random() * 100);
  }
}

async function assertLockHeld(client: Client, request: LockRequest, lost: AbortSignal): Promise<void> {
  if (lost.aborted) throw lockLost(request);
  try {
    await client.query("select 1");
  } catch {
    // Whatever went wrong, it was the session that holds the lock.
    throw lockLost(request);
  }
}

/** First key: this project; second: the stack. */
const lockKey = "hashtext('rollback'), hashtext($1)";

const holderSelect = `
  select a.pid, a.usename as role, a.application_name as application, a.client_addr::text as client,
         to_char(a.backend_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') as since
    from pg_locks l join pg_stat_activity a using (pid)
   where l.locktype = 'advisory' and l.objsubid = 2 and l.granted
     and l.database = (select oid from pg_database where datname = current_database())
     and l.classid::bigint = hashtext('rollback')::bigint & 4294967295
     and l.objid::bigint = hashtext($1)::bigint & 4294967295`;

function describe({ pid, role, application, since, client }: Holder): string {
  return `${application ?? "?"} (role ${role ?? "?"}${client === null ? "" : ` from ${client}`}, pid ${pid}, since ${since})`;
}

function inProgress(stack: string, holder: Holder): Refusal {
  return new Refusal({
    code: "RUN_IN_PROGRESS",
    found: `${stack} is being worked on by ${describe(holder)}.`,
    untouched: "Nothing was changed.",
    next: `Wait until it is done. If it is what is left of a killed run: pulumi cancel, then pulumi up.`,
  });
}

function lockLost({ stack, run, purpose }: LockRequest): Refusal {
  return new Refusal({
    code: "LOCK_LOST",
    found: `run ${run} lost the lock of ${stack} during ${purpose}: its session was ended.`,
    untouched: "Transactions that were not committed were rolled back.",
    next: "If no other run took over, run `pulumi up` again.",
  });
}
