import type { Client } from "pg";
import pg from "pg";
import type { Connect } from "../../operations/migrations/connect.ts";

/**
 * What goes wrong at one of a run's queries, counted over all of its connections.
 * - `killed`: the program is gone before it sends the query; nothing of it reaches the server any more;
 * - `killed meanwhile`: it is gone when the query is on its way;
 * - `cut`: the connection breaks before the query is sent; the program lives and may connect again;
 * - `cut after`: it breaks after the server has carried the query out, before the answer arrives;
 * - `disk full`, `timeout`: the server answers the query with that error;
 * - `server killed`, `network gone`, `lock never granted`: `happens` is called before the query is sent.
 */
export const faults = [
  "killed",
  "killed meanwhile",
  "cut",
  "cut after",
  "disk full",
  "timeout",
  "server killed",
  "network gone",
  "lock never granted",
] as const;
export type Fault = (typeof faults)[number];

const sqlStates: Readonly<Partial<Record<Fault, string>>> = { "disk full": "53100", timeout: "57014" };

/** Connections of one run, of which the query with number `at` (from 1) meets the fault. */
export interface Faulty {
  readonly open: Connect;
  /** Queries sent so far. */
  readonly sent: () => number;
}

/** Wraps connections; see `Fault`. */
export function faultyConnections(
  open: Connect,
  { fault, at, happens }: { fault: Fault; at: number; happens: () => Promise<void> },
): Faulty {
  const clients: Client[] = [];
  let sent = 0;
  let dead = false;
  const die = (gently: boolean): void => {
    dead = true;
    for (const client of clients) breakOff(client, gently);
  };
  const wrapped: Connect = async (database) => {
    if (dead) throw new Error("the program is dead");
    const client = await open(database);
    clients.push(client);
    const send = client.query.bind(client) as (...of: unknown[]) => unknown;
    const query = (...given: unknown[]): unknown => {
      sent += 1;
      if (sent !== at) return send(...given);
      switch (fault) {
        case "killed":
          die(false);
          return send(...given);
        case "killed meanwhile": {
          const answer = send(...given);
          // pg writes in the next turn of the loop; what is written then is flushed before the end.
          setTimeout(() => die(true), 1);
          return answer;
        }
        case "cut":
          breakOff(client, false);
          return send(...given);
        case "cut after":
          return afterwards(send, given, () => breakOff(client, false));
        case "disk full":
        case "timeout":
          return send(...failing(given, sqlStates[fault] ?? ""));
        case "server killed":
        case "network gone":
        case "lock never granted":
          return before(send, given, happens);
      }
    };
    Reflect.set(client, "query", query);
    return client;
  };
  return { open: wrapped, sent: () => sent };
}

function breakOff(client: Client, gently: boolean): void {
  const { stream } = client.connection;
  if (gently) stream.end();
  else stream.destroy();
}

/** Sends the query, and instead of its answer lets the connection break. */
function afterwards(
  send: (...of: unknown[]) => unknown,
  given: readonly unknown[],
  then: () => void,
): unknown {
  const [first] = given;
  if (first instanceof pg.Query) {
    first.once("end", then);
    return send(...given);
  }
  return Promise.resolve(send(...given)).then(() => {
    then();
    throw Object.assign(new Error("Connection terminated unexpectedly"), { code: "ECONNRESET" });
  });
}

/** Sends the query after something else has happened. */
function before(
  send: (...of: unknown[]) => unknown,
  given: readonly unknown[],
  first: () => Promise<void>,
): unknown {
  const [query] = given;
  const later = first().then(() => send(...given));
  return query instanceof pg.Query ? query : later;
}

/** The same call with a text that fails with this SQLSTATE. */
function failing(given: readonly unknown[], state: string): unknown[] {
  const text = `DO $$ BEGIN RAISE EXCEPTION 'this was to fail' USING ERRCODE = '${state}'; END $$`;
  const [first] = given;
  if (!(first instanceof pg.Query)) return [text];
  Reflect.set(first, "text", text);
  return [first];
}
