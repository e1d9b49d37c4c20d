/**
 * Templates in environment values: `${release}`, and addresses, whole or in parts: `${database.url}`, `${services.NAME.url}`,
 * `${caches.NAME.url}`; `.host`, `.port` of each; `.name`, `.user`, `.password` of the database. `$${` is a plain `${`.
 */

const addressParts = ["url", "host", "port"] as const;
const databaseParts = [...addressParts, "name", "user", "password"] as const;
export type AddressPart = (typeof addressParts)[number];
export type DatabasePart = (typeof databaseParts)[number];

export type TemplatePiece =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "release" }
  | { readonly kind: "database"; readonly part: DatabasePart }
  | { readonly kind: "service"; readonly name: string; readonly part: AddressPart }
  | { readonly kind: "cache"; readonly name: string; readonly part: AddressPart }
  /** Something between `${` and `}` that means nothing; undefined: a `${` without its `}`. */
  | { readonly kind: "unknown"; readonly expression: string | undefined };

/** Takes a value apart; nothing but the pieces of kind "text" is in it literally. */
export function parseTemplate(template: string): readonly TemplatePiece[] {
  const pieces: TemplatePiece[] = [];
  let at = 0;
  for (const match of template.matchAll(/\$\$\{|\$\{([^}]*)(\})?/g)) {
    if (match.index > at) pieces.push({ kind: "text", text: template.slice(at, match.index) });
    at = match.index + match[0].length;
    pieces.push(
      match[0] === "$${" ? { kind: "text", text: "${" } : reference(match[1] ?? "", match[2] === "}"),
    );
  }
  if (at < template.length) pieces.push({ kind: "text", text: template.slice(at) });
  return pieces;
}

/** The value with its references filled in. Throws for an unknown one, which validation has already refused. */
export function fillTemplate(
  template: string,
  value: (piece: Exclude<TemplatePiece, { kind: "text" | "unknown" }>) => string,
): string {
  return parseTemplate(template)
    .map((piece) => {
      if (piece.kind === "unknown") throw new Error("an unknown reference was not refused by validation");
      return piece.kind === "text" ? piece.text : value(piece);
    })
    .join("");
}

function reference(expression: string, closed: boolean): TemplatePiece {
  if (!closed) return { kind: "unknown", expression: undefined };
  if (expression === "release") return { kind: "release" };
  const ofDatabase = databaseParts.find((part) => expression === `database.${part}`);
  if (ofDatabase !== undefined) return { kind: "database", part: ofDatabase };
  const [, room, name, last] = /^(services|caches)\.([^.]+)\.([a-z]+)$/.exec(expression) ?? [];
  const part = addressParts.find((each) => each === last);
  if (room === undefined || name === undefined || part === undefined) return { kind: "unknown", expression };
  return { kind: room === "services" ? "service" : "cache", name, part };
}
