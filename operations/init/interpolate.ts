/** Interpolation as Docker Compose does it (https://docs.docker.com/reference/compose-file/interpolation/). Pure. */

/** The text with its variables filled in; what asks for a variable that must be set and is not throws an Error with its words. */
export function interpolate(text: string, variables: ReadonlyMap<string, string>): string {
  let out = "";
  for (let at = 0; at < text.length;) {
    const dollar = text.indexOf("$", at);
    if (dollar === -1) return out + text.slice(at);
    out += text.slice(at, dollar);
    const rest = text.slice(dollar + 1);
    const plain = /^[A-Za-z_][A-Za-z0-9_]*/.exec(rest)?.[0];
    if (rest.startsWith("$")) {
      out += "$";
      at = dollar + 2;
    } else if (rest.startsWith("{")) {
      const end = closing(text, dollar + 2);
      out += braced(text.slice(dollar + 2, end), variables);
      at = end + 1;
    } else if (plain !== undefined) {
      out += variables.get(plain) ?? "";
      at = dollar + 1 + plain.length;
    } else {
      out += "$";
      at = dollar + 1;
    }
  }
  return out;
}

/** Every text in a value of YAML. */
export function interpolateAll(value: unknown, variables: ReadonlyMap<string, string>): unknown {
  if (typeof value === "string") return interpolate(value, variables);
  if (Array.isArray(value)) return value.map((each: unknown) => interpolateAll(each, variables));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, interpolateAll(each, variables)]),
  );
}

/** Where the brace that was opened before `from` is closed; others may lie in between. */
function closing(text: string, from: number): number {
  for (let at = from, depth = 1; at < text.length; at += 1) {
    if (text.startsWith("${", at)) depth += 1;
    else if (text[at] === "}") depth -= 1;
    if (depth === 0) return at;
  }
  throw new Error(`a \${ in ${JSON.stringify(text)} is not closed`);
}

function braced(expression: string, variables: ReadonlyMap<string, string>): string {
  const [, name = "", operator = "", argument = ""] =
    /^([A-Za-z_][A-Za-z0-9_]*)(:?[-?+]|)([^]*)$/.exec(expression) ?? [];
  if (name === "" || (operator === "" && argument !== ""))
    throw new Error(`\${${expression}} is no form of interpolation that is known here`);
  const value = variables.get(name);
  const set = value !== undefined && !(operator.startsWith(":") && value === "");
  switch (operator.at(-1)) {
    case "-":
      return set ? value : interpolate(argument, variables);
    case "+":
      return set ? interpolate(argument, variables) : "";
    case "?":
      if (set) return value;
      throw new Error(`the variable ${name} must be set: ${interpolate(argument, variables)}`);
    default:
      return value ?? "";
  }
}
