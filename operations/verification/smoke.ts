import type { SmokeTest } from "../../settings/types.ts";

/** What a request was answered with. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly ms: number;
}

/** What is wrong with an answer to a smoke test; empty: nothing. Pure. */
export function judge(test: SmokeTest, answer: Answer): string[] {
  const wrong: string[] = [];
  if (answer.status !== test.status) wrong.push(`status ${answer.status} instead of ${test.status}`);
  if (answer.ms > test.timeout) wrong.push(`took ${Math.round(answer.ms)} ms, allowed are ${test.timeout}`);
  if (test.json.size === 0 || wrong.length > 0) return wrong;
  const document = parse(answer.body);
  if (document === undefined) return ["the answer is not JSON"];
  return [...test.json].flatMap(([path, expected]) => {
    const actual = valueAt(document, path);
    return actual === expected ? [] : [`${path} is ${shown(actual)} instead of ${shown(expected)}`];
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The value at a path such as `items.0.id`; undefined when there is none. */
export function valueAt(document: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => {
    if (Array.isArray(value)) return value[Number(key)] as unknown;
    if (typeof value === "object" && value !== null && Object.hasOwn(value, key))
      return (value as Record<string, unknown>)[key];
    return undefined;
  }, document);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  return text === undefined ? "absent" : text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
