import assert from "node:assert/strict";
import { catalogue, type ReleaseName } from "../../examples/meal-planner/catalogue.ts";
import { listDumps, type ListedDump } from "../../operations/backup/list.ts";
import { ownPlace } from "../../operations/backup/place.ts";
import { loginRole, prefix } from "../../settings/names.ts";
import type { ScratchStack } from "./stack.ts";

/** Releases of which service containers run, each once. */
export async function runningReleases(stack: ScratchStack): Promise<string[]> {
  const containers = await stack.containers();
  const releases = containers
    .filter(({ labels, running }) => running && labels["rollback.part"] === "service")
    .map(({ labels }) => labels["rollback.release"] ?? "unknown");
  return [...new Set(releases)].sort();
}

/** Schema versions by database, from the application's own tracking table; "0" without one. */
export async function schemaVersions(stack: ScratchStack): Promise<Record<string, string>> {
  const versions = ["meal_planner", "mealie"].map(async (database) => {
    const [row] = await stack.query(
      database,
      "SELECT coalesce(max(version), 0) AS version FROM schema_migrations WHERE success",
    );
    return [database, String(row?.["version"])] as const;
  });
  return Object.fromEntries(await Promise.all(versions));
}

/** Roles of releases in the planner's databases that may log in. */
export async function openRoles(stack: ScratchStack): Promise<string[]> {
  const rows = await stack.query(
    "postgres",
    "SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname ~ '^(meal_planner|mealie)_' ORDER BY 1",
  );
  return rows.map(({ rolname }) => String(rolname));
}

/** The dumps of this stack, newest first. */
export function dumpsOf(stack: ScratchStack): Promise<ListedDump[]> {
  return listDumps(ownPlace(stack.names.postgres, { volume: stack.volumes.dumps }), prefix(stack));
}

/** What one request for `path` was answered with, on a connection of its own. */
export async function askStack(
  stack: ScratchStack,
  path: string,
  init: Omit<RequestInit, "headers"> & { readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<{ status: number; release: string | null; retryAfter: string | null; body: string }> {
  const answer = await fetch(`${stack.url}${path}`, {
    ...init,
    headers: { connection: "close", ...init.headers },
  });
  const { headers, status } = answer;
  return {
    status,
    release: headers.get("x-release"),
    retryAfter: headers.get("retry-after"),
    body: await answer.text(),
  };
}

/**
 * Asserts that the stack is one consistent release: it alone runs, on its own schema, with its own roles, reads and
 * writes through the public door, and no other.
 */
export async function assertServes(stack: ScratchStack, release: ReleaseName): Promise<void> {
  const { schema } = catalogue[release];
  assert.deepEqual(await schemaVersions(stack), { ...schema });
  assert.deepEqual(await runningReleases(stack), [release]);
  assert.deepEqual(
    await openRoles(stack),
    ["meal_planner", "mealie"].map((name) => loginRole(name, release)),
  );
  const { status, release: serving, body } = await askStack(stack, "/health");
  assert.deepEqual([status, serving], [200, release], body);
  const id = `check-${String(Date.now())}`;
  const written = await askStack(stack, "/api/logs", {
    method: "POST",
    body: JSON.stringify({
      clientId: id,
      slot: "lunch",
      food: "Lentil soup",
      calories: 320,
      recipe: "lentil-soup",
    }),
  });
  assert.equal(written.status, 201, written.body);
  assert.equal((await askStack(stack, "/api/meal-plans")).status, 200);
  const rows = await stack.query("meal_planner", "SELECT 1 FROM food_logs WHERE client_ref = $1", [id]);
  assert.equal(rows.length, 1);
}
