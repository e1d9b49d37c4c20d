/** An identifier as PostgreSQL's `quote_ident` would write it, always quoted; cut at a zero byte like libpq does. */
export function identifier(name: string): string {
  return `"${untilZero(name).replaceAll('"', '""')}"`;
}

/** A text literal; with a backslash in the E'' form, so that `standard_conforming_strings` does not matter. */
export function literal(value: string): string {
  const quoted = untilZero(value).replaceAll("'", "''");
  return quoted.includes("\\") ? ` E'${quoted.replaceAll("\\", "\\\\")}'` : `'${quoted}'`;
}

/** Several identifiers, separated by commas. */
export function identifiers(names: readonly string[]): string {
  return names.map(identifier).join(", ");
}

/**
 * A function, procedure or aggregate by name, with its argument types when it is given as `name(type, …)`.
 * The types are left as they are (quoting would change their meaning), so only what can be in a type is allowed.
 */
export function routine(signature: string): string {
  const [, name, types] = /^([^(]*)(\(.*\))?$/su.exec(signature) ?? [];
  if (name === undefined || name === "" || (types !== undefined && !/^\([\w\s,."[\]()]*\)$/u.test(types))) {
    throw new Error(`not a function's name or signature: ${signature}`);
  }
  return `${identifier(name)}${types ?? ""}`;
}

/** The names in a setting like `search_path`: `"$user", public` → `$user`, `public`. */
export function parseIdentifierList(value: string): readonly string[] {
  return [...value.matchAll(/"((?:[^"]|"")*)"|([^",\s]+)/gu)].map(
    ([, quoted, plain]) => plain ?? (quoted ?? "").replaceAll('""', '"'),
  );
}

function untilZero(value: string): string {
  const zero = value.indexOf("\0");
  return zero === -1 ? value : value.slice(0, zero);
}
