import type { Client } from "pg";
import { connect } from "../database/connection.ts";
import type { ConnectionOptions, Server } from "../database/connection.ts";

/** Opens a connection to a database of the stack, as the operator. The caller closes it. */
export type Connect = (database: string) => Promise<Client>;

/** Connects to any database of a server with the same options. */
export function connector(server: Server, options: ConnectionOptions = {}): Connect {
  return (database) => connect(server, database, options);
}
