import { docker } from "../docker/run.ts";
import { inspectForeign, type ForeignContainer } from "../takeover/inspect.ts";
import type { ComposeProject, ComposeService } from "./compose.ts";

/** What a compose service is to a stack. */
export type Role = "server" | "cache" | "proxy" | "application";

/** A service with the containers in which it runs. */
export interface RunningService {
  readonly service: ComposeService;
  readonly role: Role;
  /** Running ones; at least one. */
  readonly containers: readonly [ForeignContainer, ...ForeignContainer[]];
  /** Names by which the others reach it. */
  readonly aliases: readonly string[];
}

/** Every container of this machine, running or not. */
export async function allContainers(): Promise<ForeignContainer[]> {
  const ids = (await docker(["ps", "-aq", "--no-trunc"])).split("\n").filter(Boolean);
  return inspectForeign(ids);
}

/** The containers of a service: by Compose's labels, by the name the file gives it, or by the name Compose would. Pure. */
export function containersOf(
  project: Pick<ComposeProject, "name" | "folder">,
  service: ComposeService,
  all: readonly ForeignContainer[],
): ForeignContainer[] {
  const made = new RegExp(`^${escaped(project.name)}[-_]${escaped(service.name)}[-_]\\d+$`);
  return all.filter(({ name, labels }) => {
    const label = (key: string): string | undefined => labels.get(`com.docker.compose.${key}`);
    if (label("service") !== undefined) {
      const same = label("project") === project.name || label("project.working_dir") === project.folder;
      return same && label("service") === service.name;
    }
    return name === service.containerName || made.test(name);
  });
}

function escaped(text: string): string {
  return text.replace(/[^\w]/g, "\\$&");
}

/** Told by the image: `postgres:17`, `redis:7-alpine`, `nginx`; and by the environment that PostgreSQL's images set. Pure. */
export function roleOf({ image, environment }: Pick<ForeignContainer, "image" | "environment">): Role {
  const base =
    (image.split("@")[0] ?? image)
      .replace(/:[^/:]*$/, "")
      .split("/")
      .at(-1) ?? "";
  if (environment.has("PGDATA") || /^(postgres|postgresql|postgis|pgvector|timescaledb)(-|$)/.test(base))
    return "server";
  if (/^(redis|valkey|keydb)(-|$)/.test(base)) return "cache";
  if (/^(nginx|nginx-unprivileged|traefik|caddy|haproxy|httpd)$/.test(base)) return "proxy";
  return "application";
}

/** Names under which other containers find it. */
export function aliasesOf(service: ComposeService, containers: readonly ForeignContainer[]): string[] {
  const all = [service.name, ...containers.flatMap(({ name, aliases }) => [name, ...aliases])];
  return [...new Set(all)];
}
