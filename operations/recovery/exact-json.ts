import { z } from "zod";

/** Node's; not yet in TypeScript's library of the year this project is written for. https://tc39.es/proposal-json-parse-with-source/ */
const { rawJSON } = z
  .object({ rawJSON: z.function({ input: [z.string()], output: z.unknown() }) })
  .parse({ rawJSON: Reflect.get(JSON, "rawJSON") as unknown });

/**
 * JSON as PostgreSQL writes it. A number that JavaScript cannot hold exactly, such as a bigint beyond 2^53, stays what it was when
 * it is written again with `JSON.stringify`.
 */
export function parseExactly(text: string): unknown {
  return JSON.parse(text, (_key, value: unknown, context?: { readonly source?: string }) =>
    typeof value === "number" && context?.source !== undefined && String(value) !== context.source
      ? rawJSON(context.source)
      : value,
  );
}
