import { createHash } from "node:crypto";
import path from "node:path";
import { isIPv6 } from "node:net";
import { z } from "zod";
import type { ExistingNginx } from "../../settings/types.ts";
import { maintenancePage } from "./door.ts";
import { checkPlan, doorPorts, type GatewayPlan } from "./plan.ts";

/**
 * The front: an nginx of the user's that clients talk to, in front of the stack's own door. All it gets is one file that
 * listens for each public service and passes everything on to the door. It names neither releases nor containers, so a
 * switch never reloads it (a reload resets some of the connections that clients keep alive), and requests are held, let go
 * and drained behind it as ever, also when this program is dead.
 */
export interface Front extends FrontRecord {
  /** A hash of the text, which that nginx answers at `generationPath`. */
  readonly generation: string;
  readonly text: string;
  readonly folder: string;
  readonly test: readonly string[];
}

/** What has to be known of a front to leave it; kept at the door, since the configuration that named it may be gone. */
export type FrontRecord = z.output<typeof frontRecord>;

export const frontRecord = z.object({
  /** Absolute path of the one file that is the stack's. */
  file: z.string(),
  /** First line of the file, by which it is known as the stack's own. */
  mark: z.string(),
  reload: z.array(z.string()).readonly(),
  container: z.object({ name: z.string(), network: z.string() }).optional(),
  /** Container of the door. */
  door: z.string(),
});

export interface Listener {
  readonly address: string;
  readonly port: number;
}

/** What a file of ours says: the generation it answers with, and what it listens on (`address` empty: everything). */
export function readFront(text: string): {
  readonly generation: string | undefined;
  readonly listeners: readonly Listener[];
} {
  return {
    generation: /return 200 "([0-9a-f]{16})"/.exec(text)?.[1],
    listeners: [...text.matchAll(/^ *listen (?:\[?([^\s\]]*)\]?:)?(\d+);$/gm)].map(
      ([, address = "", port]) => ({
        address,
        port: Number(port),
      }),
    ),
  };
}

/** Where each listener of the file says its generation. */
export const generationPath = "/.rollback/front";

export interface FrontArgs {
  readonly existing: ExistingNginx;
  /** `project/stack`. */
  readonly label: string;
  /** Beginning of the stack's Docker names, unique on a machine. */
  readonly prefix: string;
  /** The door's container, and its address on the stack's network. */
  readonly door: { readonly name: string; readonly address: string };
  readonly plan: Pick<GatewayPlan, "services">;
}

/** The file for an existing nginx. */
export function frontConfig({ existing, label, prefix, door, plan }: FrontArgs): Front {
  checkPlan({ hold: 0, held: 0, drain: 0, ...plan });
  const mark = `# Written by rollback for the stack ${label}: changes made here are overwritten.`;
  const id = createHash("sha256").update(prefix).digest("hex").slice(0, 8);
  const inner = doorPorts({ ...plan, behind: true });
  const open = plan.services
    .flatMap(({ name, public: listener }) => (listener === undefined ? [] : [{ name, ...listener }]))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const body = (generation: string): string =>
    [
      maps(id),
      ...open.map(({ name, address, port }) =>
        server({
          id,
          generation,
          name,
          // Within a container its own loopback is nobody else's.
          listen: existing.container === undefined ? endpoint(address, port) : String(port),
          door: endpoint(existing.container === undefined ? door.address : door.name, inner.get(name) ?? 0),
          resolved: existing.container !== undefined,
        }),
      ),
    ].join("\n");
  const generation = createHash("sha256").update(mark).update(body("")).digest("hex").slice(0, 16);
  return {
    ...existing,
    file: path.join(existing.folder, `rollback-${prefix}.conf`),
    mark,
    generation,
    text: `${mark}\n${body(generation)}`,
    door: door.name,
  };
}

function endpoint(address: string, port: number): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

/**
 * Whether a request was sent is told by its bytes: a connection over TCP that is refused has a time of connecting, too.
 * Names of variables are shared by everything that nginx serves: hence the id in each.
 */
function maps(id: string): string {
  return `\
map $http_upgrade $rollback_${id}_connection { default upgrade; "" close; }
map $http_host $rollback_${id}_host { default $http_host; "" $host; }
map $http_x_forwarded_proto $rollback_${id}_proto { default $http_x_forwarded_proto; "" $scheme; }
map $upstream_bytes_sent $rollback_${id}_unsent { default ""; "" 1; "~^[-0, :]*$" 1; }
`;
}

interface ServerArgs {
  readonly id: string;
  readonly generation: string;
  readonly name: string;
  readonly listen: string;
  readonly door: string;
  /** Whether the door's name is asked of Docker: an address there may change, and a missing name must not stop nginx. */
  readonly resolved: boolean;
}

function server({ id, generation, name, listen, door, resolved }: ServerArgs): string {
  const target = resolved
    ? `resolver 127.0.0.11 valid=2s ipv6=off;
    set $rollback_${id}_door http://${door};
    proxy_pass $rollback_${id}_door;`
    : `proxy_pass http://${door};`;
  return `\
# ${name}
server {
  listen ${listen};
  merge_slashes off;
  underscores_in_headers on;
  absolute_redirect off;
  client_max_body_size 0;
  location = ${generationPath} { access_log off; default_type text/plain; return 200 "${generation}"; }
  location / {
    ${target}
    proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_buffering off;
    proxy_buffer_size 32k;
    proxy_buffers 4 32k;
    proxy_connect_timeout 2s;
    proxy_read_timeout 1h;
    proxy_send_timeout 1h;
    proxy_next_upstream off;
    proxy_intercept_errors off;
    proxy_set_header Host $rollback_${id}_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $rollback_${id}_connection;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $rollback_${id}_proto;
    error_page 502 504 = @rollback_unreached;
  }
  # Never sent: safe to ask for again. Sent and not answered: the truth, since nobody knows whether it was done.
  location @rollback_unreached {
    default_type text/html;
    add_header Retry-After 5 always;
    add_header Cache-Control no-store always;
    if ($rollback_${id}_unsent) { return 503 "${maintenancePage()}"; }
    return 502;
  }
}
`;
}
