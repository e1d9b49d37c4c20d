/** Templates in environment values: `${release}`, `${database.url}`, `${services.NAME.url}`, `${caches.NAME.url}`; `$${` is a plain `${`. */

export type TemplatePiece =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "release" }
  | { readonly kind: "database" }
  | { readonly kind: "service"; readonly name: string }
  | { readonly kind: "cache"; readonly name: string }
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
  if (expression === "database.url") return { kind: "database" };
  const [, room, name] = /^(services|caches)\.([^.]+)\.url$/.exec(expression) ?? [];
  if (room === undefined || name === undefined) return { kind: "unknown", expression };
  return { kind: room === "services" ? "service" : "cache", name };
}
