import type { FolderView } from "./files.ts";

/** Where a Sqitch project keeps what, relative to the migrations folder; directories end in a slash. */
export interface SqitchConfig {
  readonly plan: string;
  readonly deploy: string;
  readonly revert: string;
  readonly verify: string;
  /** Of the scripts, without the dot. */
  readonly extension: string;
  /** What Sqitch sets for psql, by kind of script. */
  readonly variables: Readonly<Record<"deploy" | "revert" | "verify", ReadonlyMap<string, string>>>;
}

/**
 * Reads `sqitch.conf`, which is written like a configuration of git; what it does not say is as Sqitch has it by default.
 * https://sqitch.org/docs/manual/sqitch-config/
 */
export async function sqitchConfig(folder: FolderView): Promise<SqitchConfig> {
  const said = folder.files.includes("sqitch.conf") ? parse(await folder.text("sqitch.conf")) : undefined;
  const of = (key: string): string | undefined => said?.get(`core.${key}`);
  const top = directory(of("top_dir") ?? ".");
  const [deploy, revert, verify] = ["deploy", "revert", "verify"].map((kind) => {
    const set = of(`${kind}_dir`);
    return set === undefined ? `${top}${kind}/` : directory(set);
  });
  return {
    plan: path(of("plan_file") ?? `${top}sqitch.plan`),
    deploy: deploy ?? "",
    revert: revert ?? "",
    verify: verify ?? "",
    extension: of("extension") ?? "sql",
    variables: {
      deploy: variablesOf(said, "deploy"),
      revert: new Map([...variablesOf(said, "deploy"), ...variablesOf(said, "revert")]),
      verify: new Map([...variablesOf(said, "deploy"), ...variablesOf(said, "verify")]),
    },
  };
}

function parse(text: string): Map<string, string> {
  const values = new Map<string, string>();
  let section = "";
  for (const line of text.split("\n")) {
    const head = /^\s*\[\s*([^\]]*?)\s*\]/.exec(line);
    if (head !== null) section = (head[1] ?? "").toLowerCase();
    const [, key, value] = /^\s*([A-Za-z_][\w-]*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined)
      values.set(`${section}.${key}`, value.replace(/^"(.*)"$/, "$1"));
  }
  return values;
}

function variablesOf(said: ReadonlyMap<string, string> | undefined, kind: string): Map<string, string> {
  const prefix = `${kind} "variables".`;
  const own = [...(said ?? [])].filter(([key]) => key.startsWith(prefix));
  return new Map(own.map(([key, value]) => [key.slice(prefix.length), value]));
}

function path(text: string): string {
  return text.replace(/^(?:\.\/)+/, "").replace(/\/+$/, "");
}

function directory(text: string): string {
  const clean = path(text);
  return clean === "." || clean === "" ? "" : `${clean}/`;
}
