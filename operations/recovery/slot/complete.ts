import type { ClientBase } from "pg";
import { rowsByKey } from "../stands.ts";
import type { Recorded } from "../salvaged.ts";
import type { Row } from "./changes.ts";
import { identify, outcome, type Net } from "./net.ts";

/**
 * What changes do not tell, from the server that is gone to: what a deleted row held, and long values that no update touched.
 * What it has not is left out: a row that is not there need not be deleted.
 */
export async function complete(client: ClientBase, table: string, net: Net): Promise<Recorded> {
  const { key } = net;
  const { written, gone } = outcome(net);
  const incomplete = [...written].flatMap(([id, { missing, origin }]) =>
    missing.length === 0 || origin === undefined ? [] : [{ id, missing, origin }],
  );
  const deleted = await rowsByKey(client, table, key, gone);
  const origins = await rowsByKey(
    client,
    table,
    key,
    incomplete.map(({ origin }) => origin),
  );
  const byOrigin = new Map(origins.map((row) => [identify(key, row), row]));
  const filled = new Map<string, Row>();
  for (const { id, missing, origin } of incomplete) {
    const row = byOrigin.get(identify(key, origin));
    if (row !== undefined) filled.set(id, Object.fromEntries(missing.map((name) => [name, row[name]])));
  }
  return { net, deleted, filled };
}
