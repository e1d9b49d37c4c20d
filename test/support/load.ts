import { fork } from "node:child_process";
import { join } from "node:path";
import { reportOf, type LoadReport, type Mark, type RequestRecord } from "./load-report.ts";

/** What a load sends, and where to. */
export interface LoadOptions {
  /** Base URL, e.g. `http://127.0.0.1:8000`. */
  readonly url: string;
  /** Keep-alive connections, each with one request at a time. */
  readonly connections: number;
  /** Milliseconds between an answer and the next request on the same connection, spread by half to both sides. */
  readonly thinkTime: number;
  /** Share of POST, 0 to 1. */
  readonly writeShare: number;
  /** Paths read in turn. */
  readonly reads: readonly string[];
  /** Written in turn; `{{id}}` in the body becomes the write's unique id. */
  readonly writes: readonly {
    readonly path: string;
    readonly body: string;
    /** Milliseconds that the body takes to be sent, in ten pieces (default: at once). */
    readonly over?: number;
  }[];
  /** What the ids of this load begin with. */
  readonly idPrefix: string;
  /** Milliseconds until a request counts as failed with `TIMEOUT`. */
  readonly timeout: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Messages to and from the load's process. */
export type ToWorker =
  | { readonly kind: "start"; readonly options: LoadOptions }
  | { readonly kind: "snapshot"; readonly id: number }
  | { readonly kind: "stop" };
export type ToLoad =
  | { readonly kind: "ready" }
  | { readonly kind: "records"; readonly id: number; readonly records: readonly RequestRecord[] }
  | { readonly kind: "done"; readonly records: readonly RequestRecord[] };

/** What a load saw: the figures, and every request for questions of one's own (`switchTo`, `between`). */
export interface LoadResult {
  readonly records: readonly RequestRecord[];
  readonly marks: readonly Mark[];
  readonly report: LoadReport;
}

/** A load that is running. */
export interface Load {
  /** Names this instant and returns it, in milliseconds since the epoch. */
  readonly mark: (name: string) => number;
  /** What was seen until now; the load goes on. */
  readonly snapshot: () => Promise<LoadResult>;
  /** Sends nothing more, waits for the answers under way and returns what was seen. Safe to call again. */
  readonly stop: () => Promise<LoadResult>;
}

/** 16 connections, 80 % GET and 20 % POST, 20 ms think time: the load of the published figures. */
export const mealPlannerLoad: Omit<LoadOptions, "url"> = {
  connections: 16,
  thinkTime: 20,
  writeShare: 0.2,
  reads: ["/api/logs", "/api/meal-plans"],
  // An entry from a recipe carries the release's own name for it, so a release on the wrong schema fails at once.
  writes: [
    {
      path: "/api/logs",
      body: '{"clientId":"{{id}}","slot":"lunch","food":"Lentil soup","calories":320,"recipe":"lentil-soup"}',
    },
    {
      path: "/api/meal-plans",
      body: '{"clientId":"{{id}}","date":"2026-01-15","recipes":[{"id":"lentil-soup","name":"Lentil soup","slot":"lunch"},{"id":"rye-bread","name":"Rye bread","slot":"dinner"}]}',
    },
  ],
  idPrefix: "load",
  timeout: 60_000,
  headers: {},
};

/** 4 connections that upload plans of 48 KiB, each over 400 ms: bodies that are under way when a switch begins. */
export const uploadLoad: Partial<LoadOptions> = {
  connections: 4,
  writeShare: 1,
  writes: mealPlannerLoad.writes
    .filter(({ path }) => path === "/api/meal-plans")
    .map(({ path, body }) => ({ path, body: body.padEnd(48 * 1024, " "), over: 400 })),
};

/**
 * Starts a load in a process of its own, so that neither disturbs the other; it ends with this process at the latest.
 * Resolves when it begins to send.
 * Whatever is not given comes from `mealPlannerLoad`. Nothing is ever sent twice: what a client would see, is counted.
 */
export async function startLoad(options: Pick<LoadOptions, "url"> & Partial<LoadOptions>): Promise<Load> {
  const worker = fork(join(import.meta.dirname, "load-worker.ts"), {
    serialization: "advanced",
    execArgv: [],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const marks: Mark[] = [];
  const waiting = new Map<number, (records: readonly RequestRecord[]) => void>();
  let questions = 0;
  let begin: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => (begin = resolve));
  const done = new Promise<readonly RequestRecord[]>((resolve, reject) => {
    worker.on("message", (message: ToLoad) => {
      if (message.kind === "ready") begin();
      else if (message.kind === "records") {
        waiting.get(message.id)?.(message.records);
        waiting.delete(message.id);
      } else {
        resolve(message.records);
        worker.disconnect();
      }
    });
    worker.on("error", reject);
    worker.on("exit", (code, signal) => {
      reject(new Error(`the load's process ended by itself (${signal ?? code ?? "unknown"})`));
    });
  });
  // Reported by whoever awaits it; without this an early end would end the whole process first.
  done.catch(() => undefined);
  await Promise.race([ready, done]);

  const tell = (message: ToWorker) => worker.send(message);
  const result = (records: readonly RequestRecord[]): LoadResult => ({
    records,
    marks: [...marks],
    report: reportOf(records, [...marks]),
  });
  tell({ kind: "start", options: { ...mealPlannerLoad, ...options } });
  return {
    mark(name) {
      const at = performance.timeOrigin + performance.now();
      marks.push({ name, at });
      return at;
    },
    async snapshot() {
      if (!worker.connected) return result(await done);
      const id = ++questions;
      const answer = new Promise<readonly RequestRecord[]>((resolve) => waiting.set(id, resolve));
      tell({ kind: "snapshot", id });
      return result(await Promise.race([answer, done]));
    },
    async stop() {
      if (worker.connected) tell({ kind: "stop" });
      return result(await done);
    },
  };
}

/** Acknowledged writes against what the database has. All is well when `lost` and `duplicated` are empty. */
export interface RowCheck {
  readonly acknowledged: number;
  /** Acknowledged, but not there. */
  readonly lost: readonly string[];
  /** There more than once. */
  readonly duplicated: readonly string[];
}

/**
 * Checks that each acknowledged id is there exactly once. `find` returns the ids found among those it is given, one
 * entry per row; it is asked for at most 5000 at a time.
 */
export async function verifyRows(
  acknowledged: readonly string[],
  find: (ids: readonly string[]) => Promise<readonly string[]>,
): Promise<RowCheck> {
  const found = new Map<string, number>();
  for (let i = 0; i < acknowledged.length; i += 5000) {
    for (const id of await find(acknowledged.slice(i, i + 5000))) found.set(id, (found.get(id) ?? 0) + 1);
  }
  return {
    acknowledged: acknowledged.length,
    lost: acknowledged.filter((id) => !found.has(id)),
    duplicated: acknowledged.filter((id) => (found.get(id) ?? 0) > 1),
  };
}

/** SQL for `verifyRows` on the Meal Planner's database: the ids of $1 (text array) that it has, one row each. */
export const findClientRefs = `
  SELECT client_ref FROM food_logs WHERE client_ref = ANY ($1)
  UNION ALL
  SELECT client_ref FROM auto_meal_plans WHERE client_ref = ANY ($1)`;
