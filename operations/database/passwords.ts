import type { ClientBase } from "pg";
import { identifier, literal } from "./query.ts";

/**
 * Gives a role this password as a SCRAM verifier, so that no plaintext reaches the server's log. Repeatable.
 * `verifier`: see `scramVerifier` in settings/secrets.ts.
 */
export async function setPassword(client: ClientBase, role: string, verifier: string): Promise<void> {
  await client.query(`ALTER ROLE ${identifier(role)} LOGIN PASSWORD ${literal(verifier)}`);
}
