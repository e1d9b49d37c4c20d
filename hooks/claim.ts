import { withClient } from "../operations/database/connection.ts";
import { inTransaction } from "../operations/database/query.ts";
import { assertRun, claimRun, type RunClaim } from "../operations/journal/run-token.ts";
import { claimRoutes } from "../operations/traffic/routes.ts";
import { access } from "../operations/plan/access.ts";
import { stackLabel } from "../settings/names.ts";
import type { RunContext } from "./context.ts";

/** From here on this run, and no program of an earlier one, may write in these databases. */
export async function claim(context: RunContext, databases: Iterable<string>): Promise<void> {
  for (const database of databases) {
    await claimRun(access(context.settings), database, claimOf(context));
    context.notes.claimed.add(database);
  }
}

/**
 * Throws the Refusal `RUN_OVERTAKEN` when a later run has claimed the stack: this program's engine was killed and it
 * lives on. Asked before each effect and before roles are closed; a schema asks inside its own transaction.
 */
export async function assertStillOurs({ settings, revision, notes, session }: RunContext): Promise<void> {
  const [database] = notes.claimed;
  if (database === undefined) return;
  await withClient(
    access(settings),
    database,
    (client) => inTransaction(client, () => assertRun(client, revision)),
    session,
  );
}

/**
 * Makes the router take routes from this run alone. Once, as early as there is a router: a program that was overtaken in
 * between must not claim it back.
 */
export async function claimRouter({ names, revision, notes }: RunContext): Promise<void> {
  if (notes.routerClaimed) return;
  await claimRoutes(names.router, revision);
  notes.routerClaimed = true;
}

function claimOf({ settings, revision }: RunContext): RunClaim {
  return { stack: stackLabel(settings), run: revision };
}
