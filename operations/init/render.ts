import { Document, isMap, isScalar, parseDocument } from "yaml";

/** A stack file's text. `comments` stand above the key they belong to, by path; `previous` keeps what is not ours. */
export function renderStackFile(
  config: Readonly<Record<string, unknown>>,
  comments: ReadonlyMap<string, string>,
  previous = "",
): string {
  const old = parseDocument(previous === "" ? "{}" : previous);
  const kept: unknown = old.toJS();
  const others = isRecord(kept) ? kept : {};
  const before = isRecord(others["config"]) ? others["config"] : {};
  const foreign = Object.fromEntries(Object.entries(before).filter(([key]) => !key.startsWith("rollback:")));
  const secrets = before["rollback:secrets"];
  const document = new Document({
    ...others,
    config: { ...foreign, ...config, ...(secrets === undefined ? {} : { "rollback:secrets": secrets }) },
  });
  for (const [path, comment] of comments) annotate(document, path.split(" "), comment);
  const head = "# yaml-language-server: $schema=docs/configuration.schema.json\n";
  return head + document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

/** Whether a stack file says more than its secrets. */
export function hasConfiguration(previous: string): boolean {
  const own = Object.keys(configOf(previous)).filter((key) => key.startsWith("rollback:"));
  return own.some((key) => key !== "rollback:secrets");
}

/** Names of the secrets that a stack file has. */
export function secretNames(previous: string): string[] {
  const secrets = configOf(previous)["rollback:secrets"];
  return isRecord(secrets) ? Object.keys(secrets) : [];
}

function configOf(previous: string): Record<string, unknown> {
  const kept: unknown = parseDocument(previous === "" ? "{}" : previous).toJS();
  const config = isRecord(kept) ? kept["config"] : undefined;
  return isRecord(config) ? config : {};
}

function annotate(document: Document, path: readonly string[], comment: string): void {
  const parent: unknown = document.getIn(path.slice(0, -1), true);
  if (!isMap(parent)) return;
  const pair = parent.items.find(({ key }) => isScalar(key) && key.value === path.at(-1));
  if (pair === undefined || !isScalar(pair.key)) return;
  pair.key.commentBefore = comment
    .split("\n")
    .map((line) => ` ${line}`)
    .join("\n");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
