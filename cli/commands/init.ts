import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Command } from "commander";
import { draft } from "../../operations/init/draft.ts";
import { hasConfiguration, renderStackFile, secretNames } from "../../operations/init/render.ts";
import type { Draft, InitRequest } from "../../operations/init/request.ts";
import { makeBindVolume } from "../../operations/init/volume.ts";
import { parseSettings } from "../../settings/parse.ts";
import { Refusal } from "../../settings/refusal.ts";
import { databaseSecret } from "../../settings/secrets.ts";
import { aboutStack, setSecret, stackPlace, type StackOptions, type StackPlace } from "../stack.ts";
import { collectPairs, collectPorts, collectTexts } from "../values.ts";

interface InitOptions extends StackOptions {
  readonly file: readonly string[];
  readonly release?: string;
  readonly image?: string;
  readonly without: readonly string[];
  readonly health: ReadonlyMap<string, string>;
  readonly port: ReadonlyMap<string, number>;
  readonly public: ReadonlyMap<string, number>;
  readonly migrations: ReadonlyMap<string, string>;
  readonly clear: ReadonlyMap<string, string>;
  readonly write: boolean;
  readonly force: boolean;
  readonly json: boolean;
}

/** `rollback init`: a stack configuration from what runs under Docker Compose; it shows it, and writes it when told to. */
export function init(program: Command): void {
  const none = new Map<string, string>();
  aboutStack(program.command("init [folder]"))
    .description(
      "make the stack file from a compose file and from what runs of it; stops nothing, that is for the first `pulumi up`",
    )
    .option(
      "-f, --file <file>",
      "a compose file, repeatable; default: those that Compose reads",
      collectTexts,
      [],
    )
    .option("--release <name>", "what runs is this release; default: its image's tag")
    .option("--image <image>", "the stack's PostgreSQL image; default: the program's own")
    .option("--without <service>", "leave a service to Compose, repeatable", collectTexts, [])
    .option(
      "--health <service=path>",
      "where a service tells that it is well, repeatable",
      collectPairs,
      none,
    )
    .option(
      "--port <service=port>",
      "where a service answers HTTP, in its container, repeatable",
      collectPorts,
      new Map<string, number>(),
    )
    .option(
      "--public <service=port>",
      "where the gateway listens for it, on this machine, repeatable",
      collectPorts,
      new Map<string, number>(),
    )
    .option(
      "--migrations <database=folder>",
      "where a database's migrations are, repeatable",
      collectPairs,
      none,
    )
    .option(
      "--clear <cache=pattern>",
      "keys to clear when code or schema changes, or `all`, repeatable",
      collectPairs,
      none,
    )
    .option("--write", "write the file and its secrets; default: only show", false)
    .option("--force", "with --write: replace a configuration that is there", false)
    .option("--json", "as JSON, without secrets", false)
    .action(async (folder: string | undefined, options: InitOptions) => {
      const place = await stackPlace(options);
      const made = await draft(
        requestOf(path.resolve(folder ?? "."), place, options),
        environmentOf(process.env),
      );
      const secrets = new Map([[databaseSecret, randomBytes(32).toString("hex")], ...made.secrets]);
      // Complete and valid by the program's own rules, before anybody relies on it.
      parseSettings({
        project: place.project,
        stack: place.stack,
        values: {
          ...Object.fromEntries(
            Object.entries(made.config).map(([key, value]) => [key.replace("rollback:", ""), value]),
          ),
          secrets: Object.fromEntries(secrets),
        },
        secretKeys: ["secrets"],
        folder: place.folder,
      });
      const previous = await contentOf(place.file);
      if (options.write) await write(place, made, secrets, previous, options.force);
      if (options.json) {
        const { config, folders, checks, happens } = made;
        const names = [...secrets.keys()];
        console.log(
          JSON.stringify(
            { file: place.file, written: options.write, config, secrets: names, folders, checks, happens },
            undefined,
            2,
          ),
        );
        return;
      }
      console.log(shown(place, made, [...secrets.keys()], options.write));
    });
}

function requestOf(folder: string, place: StackPlace, options: InitOptions): InitRequest {
  return {
    folder,
    files: options.file,
    project: place.project,
    stack: place.stack,
    home: place.folder,
    release: options.release,
    image: options.image,
    without: new Set(options.without),
    health: options.health,
    ports: options.port,
    public: options.public,
    migrations: options.migrations,
    clear: options.clear,
  };
}

/** Secrets first, by Pulumi's own hand; then the file around them. A configuration that is there stays unless told otherwise. */
async function write(
  place: StackPlace,
  made: Draft,
  secrets: ReadonlyMap<string, string>,
  previous: string,
  force: boolean,
): Promise<void> {
  if (hasConfiguration(previous) && !force) {
    throw new Refusal({
      code: "INIT_EXISTS",
      found: `${place.file} has a configuration already.`,
      untouched: "It was left as it is.",
      next: "Name another stack (--stack), or replace what is there (--force; its secrets of other names stay).",
    });
  }
  for (const folder of made.folders) await makeBindVolume(folder);
  for (const [name, value] of secrets) {
    // All passwords follow from it: one that is there has made some already.
    if (name === databaseSecret && secretNames(previous).includes(name)) continue;
    await setSecret(place, name, value);
  }
  const encrypted = await contentOf(place.file);
  await writeFile(place.file, renderStackFile(made.config, made.comments, encrypted));
}

function shown(place: StackPlace, made: Draft, secrets: readonly string[], written: boolean): string {
  const list = (title: string, lines: readonly string[]): string =>
    lines.length === 0 ? "" : `\n${title}\n${lines.map((line) => `  * ${line}`).join("\n")}\n`;
  const file = path.relative(process.cwd(), place.file);
  const head = written
    ? `${file} is written.`
    : `${file} would be (nothing is written without --write):\n\n${renderStackFile(made.config, made.comments)}`;
  return [
    head,
    list("Secrets, which Pulumi keeps encrypted under rollback:secrets:", [secrets.join(", ")]),
    list(
      "A volume is laid over each folder of this machine, whose files stay where they are:",
      made.folders.map(({ volume, folder: under }) => `${volume} over ${under}`),
    ),
    list("Please look at:", made.checks),
    list("What the first `pulumi up` does, and `pulumi preview` says beforehand:", made.happens),
    written ? "\nNext: pulumi preview, then pulumi up." : "\nNext: the same command with --write.",
  ].join("");
}

async function contentOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}

function environmentOf(environment: NodeJS.ProcessEnv): Map<string, string> {
  return new Map(
    Object.entries(environment).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
