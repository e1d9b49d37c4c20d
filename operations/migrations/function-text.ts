/**
 * Whether two definitions of a function (as `pg_get_functiondef` writes them, with an owner in front) differ in nothing but the
 * white space of their bodies, strings and quoted names apart. Only for languages in which that means nothing.
 */
export function sameButForSpace(a: string, b: string): boolean {
  const [x, y] = [plain(a), plain(b)];
  return x !== undefined && x === y;
}

const body = /^(.*?\bLANGUAGE (?:plpgsql|sql)\b.*?\nAS )(\$function\w*\$)(.*)\2\s*$/s;
// Strings, quoted names, strings in dollars, comments to the end of the line, comments, white space.
const tokens =
  /('(?:[^']|'')*'|"(?:[^"]|"")*"|(\$[A-Za-z_]*\$).*?\2)|--[^\n]*?[^\S\n]*(?=\n|$)|\/\*.*?\*\/|(\s+)/gs;

function plain(definition: string): string | undefined {
  const [, head, , text] = body.exec(definition) ?? [];
  // A backslash may quote what ends a string, or not: that depends on the string.
  if (head === undefined || text === undefined || text.includes("\\")) return undefined;
  const folded = text.replaceAll(tokens, (token: string, _kept, _tag, space: string | undefined) =>
    space === undefined ? (token.startsWith("--") ? `${token.trimEnd()}\n` : token) : " ",
  );
  return head + folded.replaceAll(/\n /g, "\n").trim();
}
