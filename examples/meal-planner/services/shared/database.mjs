import pg from "pg";

/** SQLSTATE classes of a connection that was ended or refused: the caller may come again, nothing is wrong with it. */
const TEMPORARY = /^(08|57P|53|28)|^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)$/;

/**
 * A pool that outlives its connections: a connection that is ended while idle is replaced by the next query.
 * @param {{ url: string, max?: number, name: string, log: ReturnType<import("./log.mjs").createLog> }} options
 */
export function createPool({ url, max = 8, name, log }) {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    application_name: name,
    connectionTimeoutMillis: 2_000,
    idleTimeoutMillis: 30_000,
    query_timeout: 15_000,
    keepAlive: true,
  });
  // Without a listener an idle connection that the server ends would end the process.
  pool.on("error", (error) =>
    log.warn("idle database connection lost", { code: error.code, reason: error.message }),
  );
  return pool;
}

/** Whether the same request may succeed a moment later. */
export function isTemporary(error) {
  return (
    TEMPORARY.test(error?.code ?? "") ||
    /timeout exceeded when trying to connect|terminated/i.test(error?.message ?? "")
  );
}

/**
 * Runs `work` in one transaction.
 * @template T
 * @param {pg.Pool} pool
 * @param {(client: pg.PoolClient) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function transaction(pool, work) {
  const client = await pool.connect();
  let broken;
  try {
    await client.query("BEGIN");
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch((rollback) => {
      broken = rollback; // the connection is gone, and the transaction with it; the pool must not reuse it
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

/**
 * What the release needs of the schema and does not find; empty when it can serve.
 * Each probe selects no row: it is planned, so a missing table or column is an error, and costs nothing.
 * @param {pg.Pool} pool
 * @param {Record<string, string>} needs SQL by what it proves
 */
export async function missingFromSchema(pool, needs) {
  const missing = [];
  for (const [what, sql] of Object.entries(needs)) {
    try {
      await pool.query(sql);
    } catch (error) {
      // undefined table, column, object; a value that the enum does not have; no right to it
      if (!/^(42P01|42703|42704|42501|22P02|3F000)$/.test(error.code ?? "")) throw error;
      missing.push(`${what}: ${error.message}`);
    }
  }
  return missing;
}
