import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** What became of one event stream or websocket. Instants are milliseconds since the epoch. */
export interface StreamRecord {
  readonly kind: "events" | "websocket";
  /** Which of the clients of its kind, from 0. */
  readonly client: number;
  /** When it was asked for. */
  readonly askedAt: number;
  /** First message; undefined: there was none. */
  readonly firstAt?: number;
  /** Last message. */
  readonly lastAt?: number;
  readonly release?: string;
  /** When it was over; undefined: it is still open. */
  readonly closedAt?: number;
  /** Why it counts as failed: refused, reset, or closed inside a message; undefined: it was closed in order. */
  readonly failure?: string;
}

/** Event streams and websockets that are opened anew whenever they are closed. */
export interface Streams {
  /** What was seen until now. */
  readonly records: () => readonly StreamRecord[];
  /** Closes all and returns what was seen; those it closes itself are left as open. */
  readonly stop: () => Promise<readonly StreamRecord[]>;
}

type Mutable = { -readonly [Key in keyof StreamRecord]: StreamRecord[Key] };

/** Milliseconds before a client asks again; browsers wait longer. */
const again = 100;

const kinds = ["events", "websocket"] as const;

/** Keeps this many of each kind open. Resolves when each has had its first message. */
export async function openStreams(
  url: string,
  each: number,
  wanted: readonly StreamRecord["kind"][] = kinds,
): Promise<Streams> {
  const records: Mutable[] = [];
  const stopping = new AbortController();
  const isOver = (): boolean => stopping.signal.aborted;
  const keep = async (kind: StreamRecord["kind"], client: number): Promise<void> => {
    while (!isOver()) {
      const record: Mutable = { kind, client, askedAt: now() };
      records.push(record);
      await (kind === "events" ? events : websocket)(url, record, stopping.signal);
      if (isOver()) return;
      record.closedAt = now();
      await sleep(again * (0.5 + Math.random()));
    }
  };
  const all = Promise.all(
    wanted.flatMap((kind) => Array.from({ length: each }, (_, client) => keep(kind, client))),
  );
  // Reported by `stop`.
  all.catch(() => undefined);
  const until = Date.now() + 10_000;
  while (records.filter(({ firstAt }) => firstAt !== undefined).length < wanted.length * each) {
    if (Date.now() > until) throw new Error(`no streams at ${url}: ${JSON.stringify(records[0])}`);
    await sleep(20);
  }
  return {
    records: () => records,
    async stop() {
      stopping.abort();
      await all;
      return records;
    },
  };
}

/** One event stream, to its end. Its socket tells whether it was closed in order (FIN) or reset. */
function events(url: string, record: Mutable, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const sent = request(`${url}/events`, { agent: new Agent(), headers: { accept: "text/event-stream" } });
    const stop = (): void => void sent.destroy();
    signal.addEventListener("abort", stop);
    let rest = "";
    let ended = false;
    sent.on("socket", (socket) => socket.once("end", () => (ended = true)));
    sent.on("response", (response) => {
      if (response.statusCode !== 200) record.failure = `status ${response.statusCode ?? 0}`;
      record.release = String(response.headers["x-release"]);
      response.setEncoding("utf8").on("data", (chunk: string) => {
        if (record.failure !== undefined) return;
        record.firstAt ??= now();
        record.lastAt = now();
        rest = (rest + chunk).split("\n\n").at(-1) ?? "";
      });
      // nginx leaves out the last chunk, which Node calls an error; what counts is how the socket was closed.
      response.on("error", () => undefined);
      response.on("close", () => {
        if (signal.aborted) return;
        if (rest !== "") record.failure ??= "closed inside an event";
        if (!ended && !response.complete) record.failure ??= "reset";
      });
    });
    sent.on("error", (error: NodeJS.ErrnoException) => {
      if (record.firstAt === undefined) record.failure ??= error.code ?? error.message;
    });
    sent.on("close", () => {
      signal.removeEventListener("abort", stop);
      resolve();
    });
    sent.end();
  });
}

/** One websocket that asks for its release ten times a second, to its end. */
function websocket(url: string, record: Mutable, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${url.replace("http", "ws")}/live`);
    const stop = (): void => socket.close();
    signal.addEventListener("abort", stop);
    let timer: NodeJS.Timeout | undefined;
    socket.onopen = () => {
      let turn = 0;
      const ask = (): void => socket.send(String((turn += 1)));
      ask();
      timer = setInterval(ask, 100);
    };
    socket.onmessage = ({ data }) => {
      record.firstAt ??= now();
      record.lastAt = now();
      record.release ??= String(data).split(" ")[0] ?? "";
    };
    socket.onclose = () => {
      clearInterval(timer);
      signal.removeEventListener("abort", stop);
      if (record.firstAt === undefined) record.failure ??= "refused";
      resolve();
    };
  });
}

/** What clients of streams saw from an instant on. */
export interface StreamReport {
  readonly closed: number;
  readonly failed: number;
  readonly failures: readonly string[];
  /** Longest time from a stream's last message to the next one's first, milliseconds. */
  readonly longestSilence: number;
  /** When the last stream that is not of `release` was over, milliseconds after the instant; undefined: some are left. */
  readonly allOn: number | undefined;
}

/** Condenses what was seen of streams that were open at `since` or later; `release`: the one that is to have them. Pure. */
export function streamReport(records: readonly StreamRecord[], release: string, since: number): StreamReport {
  const concerned = records.filter(({ closedAt = Infinity }) => closedAt >= since);
  const failed = concerned.filter(({ failure }) => failure !== undefined);
  const closed = concerned.filter(({ closedAt }) => closedAt !== undefined);
  const silences = closed.flatMap(({ kind, client, lastAt, closedAt = 0 }) => {
    const next = records.find(
      (each) =>
        each.kind === kind &&
        each.client === client &&
        each.askedAt >= closedAt &&
        each.firstAt !== undefined,
    );
    return lastAt === undefined || next?.firstAt === undefined ? [] : [next.firstAt - lastAt];
  });
  const others = concerned.filter((each) => each.firstAt !== undefined && each.release !== release);
  return {
    closed: closed.length,
    failed: failed.length,
    failures: failed.map(({ kind, failure = "" }) => `${kind}: ${failure}`),
    longestSilence: Math.max(0, ...silences),
    allOn: others.some(({ closedAt }) => closedAt === undefined)
      ? undefined
      : Math.max(0, ...others.map(({ closedAt = 0 }) => closedAt - since)),
  };
}

/** Milliseconds since the epoch, monotonic within the process. */
function now(): number {
  return performance.timeOrigin + performance.now();
}
