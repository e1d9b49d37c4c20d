import { close } from "../database/connection.ts";
import type { Connect } from "./connect.ts";

/** Ends the statement that runs when the signal comes: the connection itself only listens between statements. */
export function cancelOnAbort(
  open: Connect,
  database: string,
  pid: number,
  signal: AbortSignal | undefined,
): () => void {
  if (signal === undefined) return () => undefined;
  const cancel = (): void => {
    void (async () => {
      const client = await open(database);
      await client.query("SELECT pg_cancel_backend($1)", [pid]);
      await close(client);
      // Without a connection there is nothing to cancel through; the run then ends after the statement.
    })().catch(() => undefined);
  };
  signal.addEventListener("abort", cancel, { once: true });
  return () => signal.removeEventListener("abort", cancel);
}
