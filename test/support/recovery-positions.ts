import type { Client } from "pg";

export function parsePosition(text: string): bigint {
  const [high = "0", low = "0"] = text.split("/");
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

export function position(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`;
}

/** This many microseconds later (earlier, if negative). */
export function shifted(time: string, microseconds: number): string {
  const whole = time.replace(/\.\d{6}\+00$/, "Z").replace(" ", "T");
  const all = BigInt(Date.parse(whole)) * 1000n + BigInt(time.slice(20, 26)) + BigInt(microseconds);
  const [seconds, rest] = [all / 1_000_000n, all % 1_000_000n];
  const text = new Date(Number(seconds) * 1000).toISOString().slice(0, 19).replace("T", " ");
  return `${text}.${String(rest).padStart(6, "0")}+00`;
}

/** A record of the WAL that ends a transaction, or prepares that. */
export interface End {
  readonly kind: string;
  readonly xid: string;
  readonly lsn: bigint;
  readonly time: string;
}

/** Records of the server's own WAL that end a transaction, or prepare that. */
export async function endsSince(admin: Client, start: bigint): Promise<End[]> {
  const { rows } = await admin.query<{ kind: string; xid: string; lsn: string; time: string }>(
    `select record_type as kind, coalesce(substring(description from '^(\\d+): '), xid::text) as xid, start_lsn::text as lsn,
            to_char(substring(description from '\\d{4}-\\d\\d-\\d\\d \\S+')::timestamp, 'YYYY-MM-DD HH24:MI:SS.US') || '+00' as time
       from pg_get_wal_records_info($1, pg_current_wal_flush_lsn())
      where resource_manager = 'Transaction' and record_type in ('COMMIT', 'COMMIT_PREPARED', 'PREPARE')`,
    [position(start)],
  );
  return rows.map((row) => ({ ...row, lsn: parsePosition(row.lsn) }));
}
