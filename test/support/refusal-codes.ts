import { readFile } from "node:fs/promises";
import ts from "typescript";

const code = /^[A-Z]+(_[A-Z]+)+$/;

/**
 * The codes of Refusals, and of notes beside a plan, that a TypeScript file makes: what stands in a property `code` or
 * `refuse`, and the first argument of functions whose names say that they make one.
 */
export async function codesIn(file: string): Promise<string[]> {
  const source = ts.createSourceFile(file, await readFile(file, "utf8"), ts.ScriptTarget.Latest);
  const found = new Set<string>();
  const take = (node: ts.Node): void => {
    if (ts.isStringLiteral(node) && code.test(node.text)) found.add(node.text);
    ts.forEachChild(node, take);
  };
  const look = (node: ts.Node): void => {
    if (ts.isPropertyAssignment(node) && /^(code|refuse)$/.test(nameOf(node.name))) take(node.initializer);
    if (ts.isCallExpression(node) && /refus|^note$/i.test(nameOf(node.expression))) {
      const [first] = node.arguments;
      if (first !== undefined) take(first);
    }
    ts.forEachChild(node, look);
  };
  look(source);
  return [...found];
}

function nameOf(node: ts.Node): string {
  return ts.isIdentifier(node) ? node.text : "";
}
