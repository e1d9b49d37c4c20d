import { access, readFile } from "node:fs/promises";
import path from "node:path";
import { parseEnv } from "node:util";
import { parse } from "yaml";
import { z } from "zod";
import { Refusal } from "../../settings/refusal.ts";
import { interpolateAll } from "./interpolate.ts";

/** A service of a compose file, in what tells it from the others; how it runs is asked of its containers. */
export interface ComposeService {
  readonly name: string;
  readonly image: string | undefined;
  readonly containerName: string | undefined;
  readonly profiles: readonly string[];
  /** Absolute folder that it is built from. */
  readonly build: string | undefined;
}

export interface ComposeProject {
  readonly name: string;
  /** Absolute folder of the first file. */
  readonly folder: string;
  readonly files: readonly string[];
  readonly services: ReadonlyMap<string, ComposeService>;
}

/** Looked for in this order; each with what may lie over it. */
const usual = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

const service = z.looseObject({
  image: z.string().optional(),
  container_name: z.string().optional(),
  profiles: z.array(z.string()).optional(),
  build: z.union([z.string(), z.looseObject({ context: z.string().optional() })]).optional(),
  extends: z
    .union([z.string(), z.looseObject({ service: z.string(), file: z.string().optional() })])
    .optional(),
});
type Service = z.output<typeof service>;

const file = z.looseObject({
  name: z.string().optional(),
  services: z.record(z.string(), service),
  include: z.unknown().optional(),
});

/**
 * Reads compose files, the later over the earlier ones; without any named, those that `docker compose` would read. Variables come
 * from `environment`, then from `.env`. Throws Refusals `INIT_COMPOSE` for what is not there or not understood.
 */
export async function readCompose(
  folder: string,
  named: readonly string[],
  environment: ReadonlyMap<string, string>,
): Promise<ComposeProject> {
  const files = named.length > 0 ? named.map((each) => path.resolve(folder, each)) : await usualFiles(folder);
  const base = path.dirname(files[0] ?? folder);
  const variables = new Map([...(await dotEnv(base)), ...environment]);
  const services = new Map<string, Service>();
  let name = variables.get("COMPOSE_PROJECT_NAME");
  for (const each of files) {
    const read = await readFileOf(each, variables);
    name ??= read.name;
    for (const [key, value] of Object.entries(read.services)) {
      const whole = await extended(each, key, value, read.services, variables, []);
      services.set(key, { ...services.get(key), ...whole });
    }
  }
  return {
    name: name ?? normalName(path.basename(base)),
    folder: base,
    files,
    services: new Map([...services].map(([key, value]) => [key, serviceOf(key, value, base)])),
  };
}

/** As Compose makes a project's name from a folder's. */
export function normalName(folder: string): string {
  return folder
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, "")
    .replace(/^[_-]+/, "");
}

function serviceOf(
  name: string,
  { image, container_name, profiles, build }: Service,
  base: string,
): ComposeService {
  const context = typeof build === "string" ? build : build?.context;
  return {
    name,
    image,
    containerName: container_name,
    profiles: profiles ?? [],
    build: context === undefined ? undefined : path.resolve(base, context),
  };
}

async function usualFiles(folder: string): Promise<string[]> {
  for (const name of usual) {
    const found = path.join(folder, name);
    if (!(await exists(found))) continue;
    const over = found.replace(/\.(ya?ml)$/, ".override.$1");
    return (await exists(over)) ? [found, over] : [found];
  }
  throw refusal(`${folder} holds none of ${usual.join(", ")}.`);
}

async function exists(name: string): Promise<boolean> {
  try {
    await access(name);
    return true;
  } catch {
    // Whatever keeps it from being read is told when it is named.
    return false;
  }
}

async function dotEnv(folder: string): Promise<Map<string, string>> {
  const name = path.join(folder, ".env");
  if (!(await exists(name))) return new Map();
  const read = parseEnv(await readFile(name, "utf8"));
  return new Map(Object.entries(read).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
}

async function readFileOf(
  name: string,
  variables: ReadonlyMap<string, string>,
): Promise<z.output<typeof file>> {
  let content: unknown;
  try {
    content = interpolateAll(parse(await readFile(name, "utf8"), { merge: true }), variables);
  } catch (cause) {
    throw refusal(`${name} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  const read = file.safeParse(content);
  if (!read.success) throw refusal(`${name} is not understood: ${z.prettifyError(read.error)}`);
  if (read.data.include !== undefined)
    throw refusal(
      `${name} includes other files (include: ${JSON.stringify(read.data.include)}); name all of them with --file instead.`,
    );
  return read.data;
}

/** A service with what it extends laid under it. */
async function extended(
  from: string,
  name: string,
  value: Service,
  siblings: Readonly<Record<string, Service>>,
  variables: ReadonlyMap<string, string>,
  seen: readonly string[],
): Promise<Service> {
  const { extends: extension, ...own } = value;
  if (extension === undefined) return own;
  const target = typeof extension === "string" ? { service: extension } : extension;
  const other = target.file === undefined ? from : path.resolve(path.dirname(from), target.file);
  const key = `${other}: ${target.service}`;
  if (seen.includes(key)) throw refusal(`${name} in ${from} extends itself (${[...seen, key].join(" → ")}).`);
  const services = other === from ? siblings : (await readFileOf(other, variables)).services;
  const base = services[target.service];
  if (base === undefined)
    throw refusal(`${name} in ${from} extends ${target.service}, which ${other} does not have.`);
  const whole = await extended(other, target.service, base, services, variables, [...seen, key]);
  return { ...whole, ...own };
}

function refusal(found: string, cause?: unknown): Refusal {
  return new Refusal({
    code: "INIT_COMPOSE",
    found,
    untouched: "Nothing was written.",
    next: "Name the files:  rollback init FOLDER --file compose.yaml --file compose.prod.yaml",
    cause,
  });
}
