import { randomUUID } from "node:crypto";
import { z } from "zod";
import { DockerFailure, docker } from "../docker/run.ts";
import { Refusal } from "../../settings/refusal.ts";

export interface ProbeRequest {
  /** IP address on the stack's network, or a name that it resolves. */
  readonly address: string;
  readonly port: number;
  /** Default `GET`. */
  readonly method?: string | undefined;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
  /** Milliseconds for the whole request (default 5000). */
  readonly timeoutMs?: number | undefined;
}

export interface ProbeAnswer {
  /** 0: there was no answer, and `error` says why. */
  readonly status: number;
  /** Names in lower case; several of one name are joined with ", ". */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Milliseconds, measured inside. */
  readonly ms: number;
  readonly error: string | undefined;
}

const report = z.object({
  status: z.number(),
  seconds: z.number(),
  headers: z.record(z.string(), z.array(z.string())),
});

/**
 * Asks one HTTP request from inside the router's container, where every container of the stack can be reached and
 * nothing needs to be published. Headers and body travel on standard input: they may hold secrets.
 */
export async function probe(router: string, request: ProbeRequest): Promise<ProbeAnswer> {
  const mark = randomUUID();
  const config = `${curlConfig(request)}write-out = "\\n${mark}{\\"status\\":%{http_code},\\"seconds\\":%{time_total},\\"headers\\":%{header_json}}"\n`;
  try {
    const said = await docker(["exec", "-i", router, "curl", "-K", "-", "-sS"], {
      input: config,
      timeoutMs: (request.timeoutMs ?? 5_000) + 15_000,
    });
    return parseProbe(said, mark);
  } catch (error) {
    // Exit codes of docker itself are 125 to 127; the others are curl's: no connection, timeout, broken answer.
    if (!(error instanceof DockerFailure) || error.exitCode === undefined || error.exitCode >= 125)
      throw error;
    return { status: 0, headers: {}, body: "", ms: 0, error: error.stderr.replace(/^curl: /, "") };
  }
}

/** Takes apart what `probe`'s curl printed: the body, then the mark, then the report. */
export function parseProbe(said: string, mark: string): ProbeAnswer {
  const at = said.lastIndexOf(`\n${mark}`);
  if (at < 0) throw new Error("curl printed no report");
  const { status, seconds, headers } = report.parse(JSON.parse(said.slice(at + 1 + mark.length)));
  const joined = Object.entries(headers).map(([name, values]) => [name.toLowerCase(), values.join(", ")]);
  return {
    status,
    headers: z.record(z.string(), z.string()).parse(Object.fromEntries(joined)),
    body: said.slice(0, at),
    ms: Math.round(seconds * 1000),
    error: undefined,
  };
}

/** The request as a curl configuration file. Throws a TypeError for a line break in a header, method or path. */
export function curlConfig(request: ProbeRequest): string {
  const host = request.address.includes(":") ? `[${request.address}]` : request.address;
  const path = request.path.startsWith("/") ? request.path : `/${request.path}`;
  const lines = [
    ["url", oneLine(`http://${host}:${request.port}${path}`)],
    ["max-time", String((request.timeoutMs ?? 5_000) / 1000)],
    ...Object.entries(request.headers ?? {}).map(([name, value]) => ["header", oneLine(`${name}: ${value}`)]),
    ...(request.body === undefined ? [] : [["data-raw", request.body]]),
  ].map(([key, value]) => `${key} = ${quoted(value ?? "")}`);
  const method = request.method ?? (request.body === undefined ? "GET" : "POST");
  // curl waits for a body after a HEAD that is only named so.
  lines.push(method === "HEAD" ? "head" : `request = ${quoted(oneLine(method))}`);
  // Brackets and braces in a path are meant literally, and no proxy of the environment is between.
  return [...lines, "globoff", 'noproxy = "*"'].map((line) => `${line}\n`).join("");
}

function oneLine(text: string): string {
  if (/[\r\n\0]/.test(text)) throw new TypeError("a line break cannot stand in a method, path or header");
  return text;
}

function quoted(text: string): string {
  const escaped = text
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r")
    .replaceAll("\t", "\\t");
  return `"${escaped}"`;
}

export interface HealthOptions {
  /** Milliseconds until giving up. */
  readonly deadlineMs: number;
  /** Asked every few seconds; false ends the wait early, e.g. because the container stopped. */
  readonly stillThere?: () => Promise<boolean>;
}

/**
 * Repeats a request until it is answered with 2xx, with back-off, inside the router's container. Returns the
 * milliseconds it took. Throws a Refusal `TARGET_UNHEALTHY` at the deadline, or once `stillThere` says no.
 */
export async function waitHealthy(
  router: string,
  name: string,
  request: ProbeRequest,
  options: HealthOptions,
): Promise<number> {
  const started = performance.now();
  for (;;) {
    const left = options.deadlineMs - (performance.now() - started);
    const slice = Math.round(Math.min(Math.max(left, 0), 3_000));
    const said = await docker(["exec", "-i", router, "healthy", String(slice)], {
      input: curlConfig({ ...request, timeoutMs: request.timeoutMs ?? 2_000 }),
      timeoutMs: slice + 30_000,
    });
    const status = said.split(" ")[0] ?? "";
    const took = Math.round(performance.now() - started);
    if (/^2\d\d$/.test(status)) return took;
    const last = status === "000" ? "no answer" : `status ${status}`;
    const there = options.stillThere === undefined || (await options.stillThere());
    if (there && took < options.deadlineMs) continue;
    throw new Refusal({
      code: "TARGET_UNHEALTHY",
      found: there
        ? `${name} was not healthy within ${Math.round(options.deadlineMs / 1000)} s: ${last} on ${request.path}.`
        : `${name} stopped after ${Math.round(took / 1000)} s, before it was healthy.`,
      untouched: "It takes no traffic.",
      next: `docker logs --tail 50 ${name}`,
    });
  }
}
