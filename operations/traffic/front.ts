import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { docker } from "../docker/run.ts";
import { Refusal } from "../../settings/refusal.ts";
import {
  frontRecord,
  generationPath,
  readFront,
  type Front,
  type FrontRecord,
  type Listener,
} from "./front-config.ts";
import { readFrontFile, writeFrontFile } from "./front-file.ts";
import { probe } from "./probe.ts";

/** What an existing nginx has of the stack. */
export interface FrontState {
  /** The stack's file in its folder; undefined: none. */
  readonly file: string | undefined;
  /** The generation that all its listeners answer with; undefined: at least one answers otherwise, or not at all. */
  readonly answers: string | undefined;
}

/** Milliseconds that a reloaded nginx has until it answers by its new configuration. */
const patience = 10_000;

/** Looks at file and listeners; changes nothing. */
export async function observeFront(front: Front): Promise<FrontState> {
  const [file, answers] = await Promise.all([readFrontFile(front), answeredGeneration(front)]);
  return { file, answers };
}

/**
 * Brings the stack's file into force: written, tested by that nginx with everything it has, reloaded, and proven by the
 * generation that its listeners answer with. `unchanged`: it was in force already, and nothing is reloaded. Repeatable.
 * Throws the Refusals `FRONT_REFUSED` (its test fails) and `FRONT_NOT_RELOADED` (no answer of this generation); the folder
 * is then as it was.
 */
export async function installFront(front: Front): Promise<"applied" | "unchanged"> {
  const before = await readFrontFile(front);
  if (before === front.text) {
    if (await answersNow(front, 1)) return "unchanged";
    // Written by a run that was killed before its reload, or nginx does not run.
    await failureOf(front.reload);
    await assertFrontAnswers(front, "Nothing was changed.");
    return "applied";
  }
  await recordFront(front);
  await writeTested(front, before);
  const said = await failureOf(front.reload);
  if (said === undefined && (await answersSoon(front))) return "applied";
  await writeFrontFile(front.file, before);
  // It may have taken the new one after all, only later than it was waited for.
  await failureOf(front.reload);
  const silent = `${addresses(front, front.text)} does not answer by the new configuration`;
  throw notReloaded(front, said ?? silent, before);
}

const recordFile = "/var/lib/gate/front.json";

/** Keeps at the door what it takes to leave this front. */
async function recordFront(front: Front): Promise<void> {
  const { file, mark, reload, container, door } = front;
  const input = JSON.stringify({ file, mark, reload, container, door });
  const put = 'cat > "$1.new" && mv "$1.new" "$1"';
  await docker(["exec", "-i", door, "sh", "-c", put, "sh", recordFile], { input });
}

/** The front that a door was last put behind; undefined: none. */
export async function recordedFront(door: string): Promise<FrontRecord | undefined> {
  const text = await docker(["exec", door, "sh", "-c", '! [ -e "$1" ] || cat "$1"', "sh", recordFile]);
  return text === "" ? undefined : frontRecord.parse(JSON.parse(text));
}

/**
 * Lets that nginx test the stack's file, and puts the folder back as it was: what it will not take is known before anything
 * stops. Throws the Refusal `FRONT_REFUSED`.
 */
export async function tryFront(front: Front): Promise<void> {
  const before = await readFrontFile(front);
  if (before === front.text) return;
  await writeTested(front, before);
  await writeFrontFile(front.file, before);
}

async function writeTested(front: Front, before: string | undefined): Promise<void> {
  await writeFrontFile(front.file, front.text);
  const objection = await failureOf(front.test);
  if (objection === undefined) return;
  await writeFrontFile(front.file, before);
  throw await refused(front, objection, before);
}

/**
 * Takes the stack's file out of an nginx that no longer stands in front, so that it lets go of the ports. One that does not
 * run has let go of them already. Throws `FRONT_NOT_RELOADED` when it goes on listening; the file is then back.
 */
export async function leaveFront(front: FrontRecord): Promise<"left" | "unchanged"> {
  const before = await readFrontFile(front);
  if (before === undefined) return "unchanged";
  const { generation, listeners } = readFront(before);
  await writeFrontFile(front.file, undefined);
  const said = await failureOf(front.reload);
  const until = performance.now() + patience;
  while ((await answers(front, listeners)).includes(generation)) {
    if (performance.now() < until) {
      await sleep(100);
      continue;
    }
    await writeFrontFile(front.file, before);
    throw notReloaded(
      front,
      said ?? `${addresses(front, before)} still answers by the former configuration`,
      before,
    );
  }
  return "left";
}

/** Waits until that nginx answers. Throws the Refusal `FRONT_UNREACHABLE`; whatever stands behind it is not touched. */
export async function assertFrontAnswers(front: Front, untouched: string): Promise<void> {
  if (await answersSoon(front)) return;
  throw new Refusal({
    code: "FRONT_UNREACHABLE",
    found: `the existing nginx does not answer on ${addresses(front, front.text)}, so that no request reaches the stack.`,
    untouched,
    next: `Start it (${front.test.join(" ")} tells what it thinks of its configuration), then: pulumi up`,
  });
}

async function answersSoon(front: Front): Promise<boolean> {
  const until = performance.now() + patience;
  for (;;) {
    if (await answersNow(front, 3)) return true;
    if (performance.now() >= until) return false;
    await sleep(100);
  }
}

/** Several times in a row: while nginx reloads, old and new workers take connections side by side. */
async function answersNow(front: Front, times: number): Promise<boolean> {
  for (let n = 0; n < times; n += 1) {
    if ((await answeredGeneration(front)) !== front.generation) return false;
  }
  return true;
}

async function answeredGeneration(front: Front): Promise<string | undefined> {
  const [first, ...others] = await answers(front, readFront(front.text).listeners);
  return others.every((answer) => answer === first) ? first : undefined;
}

/** What each listener answers with. */
async function answers(front: FrontRecord, listeners: readonly Listener[]): Promise<(string | undefined)[]> {
  return Promise.all(listeners.map((listener) => ask(front, listener)));
}

/** What a listener answers with; undefined: nothing of ours. Each time over a new connection. */
async function ask(
  { container, door }: FrontRecord,
  { address, port }: Listener,
): Promise<string | undefined> {
  if (container !== undefined) {
    const asked = { address: container.name, port, path: generationPath, timeoutMs: 2_000 };
    const { status, body } = await probe(door, asked);
    return status === 200 ? body : undefined;
  }
  const host = { "0.0.0.0": "127.0.0.1", "::": "::1" }[address] ?? address;
  return new Promise((resolve) => {
    const asked = request({ host, port, path: generationPath, agent: false, timeout: 2_000 }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => (body += part));
      response.on("end", () => resolve(response.statusCode === 200 ? body : undefined));
      response.on("error", () => resolve(undefined));
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(undefined));
    asked.end();
  });
}

/** Why a command of the user's failed, in its own words; undefined: it did not. */
async function failureOf([file = "", ...args]: readonly string[]): Promise<string | undefined> {
  const ended = await execa(file, args, { stdin: "ignore", timeout: 30_000, reject: false });
  if (!ended.failed) return undefined;
  const said = ended.stderr.trim();
  return `${[file, ...args].join(" ")}: ${said === "" ? (ended.shortMessage ?? "failed") : said.slice(-1_000)}`;
}

async function refused(front: Front, objection: string, before: string | undefined): Promise<Refusal> {
  const also = before === front.text ? undefined : await failureOf(front.test);
  return new Refusal({
    code: "FRONT_REFUSED",
    found:
      also === undefined
        ? `the existing nginx does not take the stack's configuration: ${objection}`
        : `the existing nginx does not take its configuration, also without the stack's file: ${also}`,
    untouched: restored(front, before),
    next: `Mend what it objects to until this succeeds, then run \`pulumi up\`:  ${front.test.join(" ")}`,
  });
}

function notReloaded(front: FrontRecord, why: string, before: string | undefined): Refusal {
  return new Refusal({
    code: "FRONT_NOT_RELOADED",
    found: `the existing nginx did not come to answer by its configuration within ${patience / 1000} s of its reload: ${why}.`,
    untouched: restored(front, before),
    next: `Look whether it runs, whether it includes ${front.file} and what its error log says (a port that somebody else has, for example), and what \`${front.reload.join(" ")}\` does.`,
  });
}

function restored({ file }: FrontRecord, before: string | undefined): string {
  return before === undefined ? `${file} was removed again.` : `${file} is as it was.`;
}

function addresses({ container }: FrontRecord, text: string): string {
  return readFront(text)
    .listeners.map(({ address, port }) => `${container === undefined ? address : container.name}:${port}`)
    .join(", ");
}
