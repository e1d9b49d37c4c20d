import { readFile } from "node:fs/promises";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Refusal } from "../../../settings/refusal.ts";
import type { Database } from "../../../settings/types.ts";
import { withClient } from "../../database/connection.ts";
import type { Server } from "../../database/connection.ts";
import { isRefusal } from "../../../settings/refusal.ts";
import { inTransaction, rowsOf } from "../../database/query.ts";
import { fingerprintNow } from "../catalogue/read.ts";
import { layoutReader, readMigrations } from "../layouts/index.ts";
import type { LayoutReader } from "../layouts/layout.ts";
import { appliedOf } from "../layouts/layout.ts";
import { observeDatabase } from "../observe.ts";
import { migrationOrder } from "../order.ts";
import { loadParser } from "../sql/parse.ts";
import { understand } from "../sql/script.ts";
import type { LedgerRow, Migration } from "../types.ts";
import { capturedOf, positionsOf, schemaBefore } from "./captured.ts";
import type { Captured } from "./captured.ts";
import { difference } from "./difference.ts";
import { draftAndProve, roleName, runAsOwner } from "./prove.ts";
import type { ProvenDraft, Scratch } from "./prove.ts";
import { withScratch } from "./scratch.ts";
import { readSnapshot } from "./snapshot.ts";
import type { Snapshot } from "./snapshot.ts";
import { draftText, placed, statementMarkers } from "./text.ts";
import { z } from "zod";

export interface DraftRequest {
  /** As a role that may create databases and act as the owner. */
  readonly server: Server;
  readonly database: Database;
  readonly owner: string;
  /** Version as written in the configuration. */
  readonly version: string;
  readonly say?: (line: string) => void;
}

/** A reversal as it would be written. */
export interface Draft extends ProvenDraft {
  readonly migration: Pick<Migration, "version" | "name">;
  readonly text: string;
  /** File in the migrations folder, and what is to be in it. */
  readonly file: string;
  readonly content: string;
  /** The schema was proven to come back, from the one that the migration found when it was applied. */
  readonly proven: boolean;
  /** Why it was tried on another schema than that; undefined: it was not, as far as is known. */
  readonly elsewhere: string | undefined;
}

interface Known {
  readonly reader: LayoutReader;
  readonly files: ReadonlyMap<string, Migration>;
  readonly ledger: ReadonlyMap<string, LedgerRow>;
  /** Versions before the wanted one that are applied or would be, in order. */
  readonly history: readonly string[];
  readonly version: string;
  /** Nothing was applied after it. */
  readonly newest: boolean;
  readonly captured: Captured | undefined;
  readonly live: Snapshot | undefined;
  readonly extensions: readonly string[];
}

/**
 * Drafts the reversal of a migration, applied or not, and proves it on a scratch database, which is dropped again. The schema
 * before the migration comes from the migrations before it; where those cannot be run on an empty database or lead elsewhere,
 * from what was captured when it was applied. Writes nothing: see `writeDraft`.
 * Throws Refusals `DRAFT_VERSION`, `DRAFT_HISTORY`, `DRAFT_UP`, `DRAFT_EMPTY`.
 */
export async function draftReversal(request: DraftRequest): Promise<Draft> {
  await loadParser();
  const known = await look(request);
  const { reader, files, ledger, version } = known;
  const file = files.get(version);
  const row = ledger.get(version);
  const up = row?.up ?? file?.up;
  if (up === undefined) throw unknownVersion(request, known);
  const name = row?.name ?? file?.name ?? "";
  let elsewhere: string | undefined;
  const draft = await prepared(request, known, async (scratch, why) => {
    elsewhere = why;
    try {
      return await draftAndProve(scratch, up, positionsOf(known.captured ?? nothing));
    } catch (error) {
      throw new Refusal({
        code: "DRAFT_UP",
        found: `${request.database.name} ${version} (${name}) cannot be applied to an empty copy of the schema before it: ${messageOf(error)}.`,
        untouched: "Nothing was written; the scratch database is gone.",
        next: "Write its reversal by hand.",
        cause: error,
      });
    }
  });
  if (draft.statements.length === 0 && draft.impossible.length === 0) {
    throw new Refusal({
      code: "DRAFT_EMPTY",
      found: `${request.database.name} ${version} (${name}) changes nothing in the catalogue: what it does to rows no draft can take back.`,
      untouched: "Nothing was written.",
      next: "Write its reversal by hand.",
    });
  }
  const place = reader.reversalPlace(file ?? { file: `${version}_${name}.sql` });
  const text = draftText(
    { version, name },
    { ...draft, elsewhere },
    understand(up, version).statements,
    statementMarkers(place),
  );
  const path = join(request.database.migrations, place.file);
  const now = await readFile(path, "utf8").catch(() => undefined);
  return {
    ...draft,
    migration: { version, name },
    text,
    file: place.file,
    content: placed(text, place, now),
    elsewhere,
    proven:
      draft.failed === undefined &&
      draft.differences.length === 0 &&
      draft.impossible.length === 0 &&
      elsewhere === undefined,
  };
}

/** Writes a draft into its place. Throws `DRAFT_EXISTS` when there is a reversal already. */
export async function writeDraft(database: Database, draft: Draft): Promise<string> {
  const present = (await readMigrations(database)).find(({ version }) => version === draft.migration.version);
  if (present?.down !== undefined && present.down.trim() !== "") {
    throw new Refusal({
      code: "DRAFT_EXISTS",
      found: `${draft.file} in ${database.migrations} already holds a reversal of ${draft.migration.version}.`,
      untouched: "Nothing was written.",
      next: "Take the reversal out first, or print the draft only:  npx rollback draft … --print",
    });
  }
  const path = join(database.migrations, draft.file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, draft.content);
  return path;
}

const nothing: Captured = { objects: [], dependencies: {}, gone: [] };

async function look({ server, database, version: wanted }: DraftRequest): Promise<Known> {
  const reader = await layoutReader(database);
  const files = await readMigrations(database);
  const version = reader.normalise(wanted) ?? wanted;
  const seen = await withClient(server, database.name, async (client) => {
    const observed = await observeDatabase(client, database);
    return {
      observed,
      captured: observed.ledger === undefined ? undefined : await capturedOf(client, version),
      live: await inTransaction(client, () => readSnapshot(client, reader.trackingTable)),
      extensions: await rowsOf(
        client,
        z.object({ name: z.string() }),
        "SELECT extname::text AS name FROM pg_extension WHERE extname <> 'plpgsql'",
      ),
    };
  }).catch((error: unknown) => {
    // A database that is not there yet has applied nothing; a file can have its reversal drafted all the same.
    if (isRefusal(error, "DATABASE_MISSING") || /does not exist/.test(messageOf(error))) return undefined;
    throw error;
  });
  const ledger = new Map((seen?.observed.ledger ?? []).map((row) => [row.version, row]));
  const tracked = seen?.observed.tracked ?? [];
  const order = migrationOrder(
    files,
    tracked.map((row) => row.version),
    reader,
  );
  const applied = appliedOf(tracked, order);
  const at = order.indexOf(version);
  const isApplied = applied.includes(version);
  return {
    reader,
    version,
    files: new Map(files.map((each) => [each.version, each])),
    ledger,
    history: at < 0 ? [] : order.slice(0, at).filter((each) => !isApplied || applied.includes(each)),
    newest: isApplied && applied.at(-1) === version,
    captured: seen?.captured,
    live: seen?.live,
    extensions: [...new Set([...database.extensions, ...(seen?.extensions ?? []).map(({ name }) => name)])],
  };
}

/** Gives `work` a scratch database with the schema before the migration. */
async function prepared<T>(
  request: DraftRequest,
  known: Known,
  work: (scratch: Scratch, elsewhere: string | undefined) => Promise<T>,
): Promise<T> {
  const { reader, ledger, version, captured, live, newest } = known;
  const { server, owner, say = () => undefined } = request;
  const wanted = ledger.get(version)?.fingerprintBefore;
  const scratch = (extensions: readonly string[]) => ({
    server,
    owner,
    tracking: reader.trackingTable,
    extensions,
  });
  const from =
    captured !== undefined && newest && live !== undefined ? schemaBefore(captured, live) : undefined;
  try {
    return await withScratch(scratch(known.extensions), async (found) => {
      await replay(found, request, known);
      if (wanted === undefined || wanted === (await fingerprint(found))) return work(found, undefined);
      if (from !== undefined) throw otherSchema;
      return work(
        found,
        "the migrations before it lead to another schema than the one recorded when it was applied",
      );
    });
  } catch (error) {
    if (from === undefined || !(error === otherSchema || isRefusal(error, "DRAFT_HISTORY"))) throw error;
    say("The schema before it comes from what was captured when it was applied.");
    return withScratch(scratch([]), async (found) => {
      await build(found, from);
      return work(found, undefined);
    });
  }
}

const otherSchema = new Error("the migrations lead to another schema than the recorded one");

async function replay(scratch: Scratch, { database }: DraftRequest, known: Known): Promise<void> {
  for (const version of known.history) {
    const up = known.ledger.get(version)?.up ?? known.files.get(version)?.up;
    try {
      if (up === undefined) throw new Error("its file is gone and the ledger does not hold it");
      await runAsOwner(scratch, up, `${database.name} ${version} (up)`);
    } catch (error) {
      throw new Refusal({
        code: "DRAFT_HISTORY",
        found: `the schema before ${known.version} cannot be built: ${database.name} ${version} fails on an empty database: ${messageOf(error)}.`,
        untouched: "Nothing was written; the scratch database is gone.",
        next: "Write the reversal by hand, or put the missing migration back.",
        cause: error,
      });
    }
  }
}

/** Makes a whole schema from its description. */
async function build(scratch: Scratch, schema: Snapshot): Promise<void> {
  const empty: Snapshot = { objects: new Map(), dependencies: new Map() };
  const extensions = [...schema.objects.values()].filter(({ kind }) => kind === "extension");
  for (const { name } of extensions)
    await scratch.client.query(`CREATE EXTENSION IF NOT EXISTS ${name} CASCADE`);
  const rest = new Map([...schema.objects].filter(([, { kind }]) => kind !== "extension"));
  const { statements } = difference({ ...schema, objects: rest }, empty, {
    owner: roleName(scratch.owner),
    positions: new Map(),
  });
  await runAsOwner(scratch, statements.join(";\n"), "the schema before");
}

function fingerprint({ client, tracking }: Scratch): Promise<string> {
  return inTransaction(client, () => fingerprintNow(client, tracking));
}

function unknownVersion({ database }: DraftRequest, { version, files }: Known): Refusal {
  return new Refusal({
    code: "DRAFT_VERSION",
    found: `${database.name} has no migration ${version}; the files hold ${[...files.keys()].slice(-5).join(", ")} last.`,
    untouched: "Nothing was written.",
    next: "Name a version of the migrations folder, or one that is applied.",
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
}
