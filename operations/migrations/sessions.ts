import type { Client } from "pg";
import { close } from "../database/connection.ts";
import type { Connect } from "./connect.ts";

/** Lends a connection to a database for the time of `work`. */
export type Lend = <T>(database: string, work: (client: Client) => Promise<T>) => Promise<T>;

/** Lends a new connection each time, closed afterwards: for questions with time in between. */
export function freshConnections(open: Connect): Lend {
  return async (database, work) => {
    const client = await open(database);
    try {
      return await work(client);
    } finally {
      await close(client);
    }
  };
}

/** One connection per database, opened when first needed, which keeps what belongs to a session: locks and settings. */
export interface Sessions {
  readonly lend: Lend;
  /** The session of a database. */
  readonly of: (database: string) => Promise<Client>;
  readonly close: () => Promise<void>;
}

/** See `Sessions`. */
export function keepSessions(open: Connect): Sessions {
  const clients = new Map<string, Client>();
  const of = async (database: string): Promise<Client> => {
    const client = clients.get(database) ?? (await open(database));
    clients.set(database, client);
    return client;
  };
  return {
    of,
    lend: async (database, work) => work(await of(database)),
    close: async () => {
      await Promise.all([...clients.values()].map(close));
      clients.clear();
    },
  };
}
