/** An operation that failed in words meant for the user; `cause` is what PostgreSQL or the driver said. */
export class OperationFailed extends Error {
  override readonly name = "OperationFailed";
}

/** The parts of an error of the server that `pg` passes on. */
interface ServerError extends Error {
  readonly code: string;
  readonly severity: string;
}

/**
 * An error in the official plugin's words: the server's as `pq: message (SQLSTATE)`, a refused connection as Go's
 * `dial tcp …`. Detail, hint and statement are left out: they can hold values.
 */
export function inOfficialWords(error: unknown): string {
  if (isServerError(error)) return `pq: ${error.message} (${error.code})`;
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError && error.errors.length > 0) return inOfficialWords(error.errors[0]);
  const { code, address, port } = error as { code?: unknown; address?: unknown; port?: unknown };
  if (code === "ECONNREFUSED")
    return `dial tcp ${String(address)}:${String(port)}: connect: connection refused`;
  return error.message;
}

/** Runs `work`; what goes wrong gets `what` in front, e.g. `could not execute revoke query`. */
export async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new OperationFailed(`${what}: ${inOfficialWords(error)}`, { cause: error });
  }
}

/** SQLSTATE of the server's error behind `error`; undefined: it was none. */
export function sqlState(error: unknown): string | undefined {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (isServerError(current)) return current.code;
  }
  return undefined;
}

/** Whether another session interfered and the same transaction may succeed now. */
export function isInterference(error: unknown): boolean {
  const state = sqlState(error);
  if (state === "40001" || state === "40P01") return true;
  return state === "XX000" && error instanceof Error && error.message.includes("tuple concurrently");
}

function isServerError(error: unknown): error is ServerError {
  return error instanceof Error && "severity" in error && "code" in error && typeof error.code === "string";
}
