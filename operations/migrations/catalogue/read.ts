import { createHash } from "node:crypto";
import type { ClientBase } from "pg";
import { z } from "zod";
import { literal, rowsOfEach } from "../../database/query.ts";
import { catalogueMark, presentIn } from "./mark.ts";
import { catalogueSql } from "./sql.ts";
import type { TrackingName } from "./sql.ts";

/** The catalogue of a database: each object's identity (kind and name) with its definition. */
export type Catalogue = ReadonlyMap<string, string>;

/** The catalogue with the mark that its row versions have; see `catalogueMark`. */
export interface Look {
  readonly catalogue: Catalogue;
  readonly mark: string;
}

/**
 * The catalogue as it is now. Inside a transaction only (the search path is set for it and reset after). The mark is the older
 * of the two: what another session changes in between makes the next mark differ, and is never taken for seen.
 */
export async function lookAtCatalogue(client: ClientBase, tracking: TrackingName): Promise<Look> {
  const mark = await catalogueMark(client, lookSettings);
  const [entries] = await rowsOfEach(client, [catalogueSql(tracking, presentIn(mark)), ...lookSettingsBack]);
  // A definition is null for what somebody dropped while the query ran: the catalogue of the snapshot still lists it.
  const catalogue = new Map(
    entryRows
      .parse(entries)
      .flatMap(({ kind, name, definition }) =>
        definition === null ? [] : [[`${kind} ${name}`, definition] as const],
      ),
  );
  return { catalogue, mark };
}

/** As `lookAtCatalogue`, without the mark. */
export async function readCatalogue(client: ClientBase, tracking: TrackingName): Promise<Catalogue> {
  return (await lookAtCatalogue(client, tracking)).catalogue;
}

const entryRows = z.array(
  z.object({ kind: z.string(), name: z.string(), definition: z.string().nullable() }),
);

/** For queries of the catalogue: compiling them, as the server does for what it takes for expensive, takes seconds and saves milliseconds. */
export const lookSettings = ["SET LOCAL search_path = ''", "SET LOCAL jit = off"];
/** Ends `lookSettings`. */
export const lookSettingsBack = ["RESET search_path", "RESET jit"];

/** Raised whenever the catalogue is described in another way: fingerprints of other formats cannot be compared. */
const format = "2:";

/** A recorded fingerprint if it can be compared with those of this program; undefined: an older one made it, or none did. */
export function comparable(recorded: string | null): string | undefined {
  return recorded?.startsWith(format) === true ? recorded : undefined;
}

/**
 * SHA-256 over the hashes of all entries, sorted, hex, behind the format. Equal catalogues have equal fingerprints on every server, and the
 * server can compute it as well: see `fingerprintNow`.
 */
export function fingerprintOf(catalogue: Catalogue): string {
  const hashes = [...catalogue].map(([key, definition]) => sha256(`${key}${separator}${definition}`));
  return format + sha256(hashes.sort().join(""));
}

/** The fingerprint computed by the server, so that a large catalogue need not be fetched. Inside a transaction only. */
export async function fingerprintNow(client: ClientBase, tracking: TrackingName): Promise<string> {
  const entries = catalogueSql(tracking, presentIn(await catalogueMark(client, lookSettings)));
  const [rows] = await rowsOfEach(client, [
    `SELECT encode(sha256(convert_to(coalesce(string_agg(hash, '' ORDER BY hash COLLATE "C"), ''), 'UTF8')), 'hex') AS fingerprint
     FROM (SELECT encode(sha256(convert_to(kind || ' ' || name || ${literal(separator)} || definition, 'UTF8')), 'hex') AS hash
       FROM (${entries}) AS entry WHERE definition IS NOT NULL) AS hashed`,
    ...lookSettingsBack,
  ]);
  return format + z.tuple([z.object({ fingerprint: z.string() })]).parse(rows)[0].fingerprint;
}

const separator = "\u001f";

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
