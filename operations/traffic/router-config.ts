import { createHash } from "node:crypto";
import { browserHeaders, browserMaps } from "./browsers.ts";
import { checkPlan, endpoint } from "./plan.ts";
import type { GatewayPlan, ServerPlan, ServicePlan } from "./plan.ts";
import { isSplit, stickyKey, stickyTarget, stickyUpstreams } from "./sticky.ts";

/** A configuration of the router and its name. */
export interface RouterConfig {
  /** A hash of the text: equal plans have equal generations. Compare it with `readRoutes`. */
  readonly generation: string;
  /** The whole nginx configuration; its first line names the generation. */
  readonly text: string;
}

/**
 * The router's configuration for a plan; `applyRoutes` brings it into force.
 *
 * - One weighted upstream per service in shared memory, so that shares are exact over all workers; no server is ever
 *   taken out by nginx itself, which would shift a canary's share.
 * - A connection per request to the containers: one that is kept alive and closed by the container as a POST is sent
 *   would lose that POST, and a container that leaves closes them all.
 * - A server that refuses the connection is passed over (any request); a request that was sent is asked again only if
 *   it is not POST, PATCH or LOCK and nothing of the answer had arrived. The log has every attempt.
 * - `until`: end of what browsers are told of other code, epoch milliseconds. It is no part of the generation: when it is
 *   over, the routes are still those that were wished.
 */
export function routerConfig(plan: GatewayPlan, until = 0): RouterConfig {
  checkPlan(plan);
  const services = plan.services.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const generation = createHash("sha256")
    .update(configuration(plan, services, "", 0))
    .digest("hex")
    .slice(0, 16);
  return {
    generation,
    text: `# generation ${generation}\n${configuration(plan, services, generation, until)}`,
  };
}

function configuration(
  plan: GatewayPlan,
  services: readonly ServicePlan[],
  generation: string,
  until: number,
): string {
  return `\
${plan.browsers === undefined ? "" : `# browsers until ${until}\n`}\
load_module /usr/lib/nginx/modules/ngx_http_js_module.so;
pid /run/router/nginx.pid;
error_log /dev/stderr warn;
worker_processes 2;
# Connections that outlast a switch by this much (websockets, event streams) are closed and reconnect.
worker_shutdown_timeout ${seconds(plan.drain)};
events { worker_connections 32768; }

http {
  server_tokens off;
  absolute_redirect off;
  merge_slashes off;
  underscores_in_headers on;
  large_client_header_buffers 8 32k;
  client_max_body_size 0;
  # Neither the door nor a service may keep a connection to a listener that is reloaded.
  keepalive_timeout 0;
  map_hash_bucket_size 256;

  # Streams are counted apart: they do not end by themselves, and a drain does not wait for them.
  js_path /etc/gateway;
  js_import streams from streams.js;
  js_shared_dict_zone zone=streams:64k type=number;
  js_set $stream_over streams.over;

  # One line per request; upstream and status list every attempt. Without query: it may hold secrets.
  log_format attempts escape=json '{"time":$msec,"service":"$service","release":"$release","releases":"$release_1, $release_2, $release_3","method":"$request_method",'
    '"path":"$uri","status":$status,"seconds":$request_time,"upstream":"$upstream_addr",'
    '"upstreamStatus":"$upstream_status","upstreamSeconds":"$upstream_response_time","held":"$door_held","stream":"$stream_over","client":"$remote_addr"}';
  access_log /dev/stdout attempts buffer=64k flush=1s;

  map $http_upgrade $upgrade { default upgrade; "" close; }
  map $http_host $host_header { default $http_host; "" $host; }
  map $http_x_rollback_held $door_held { default $http_x_rollback_held; "" 0; }
  # The release that answered: that of the last attempt.
  map $upstream_addr $release {
    default "";
${services.flatMap((service) => service.servers.map(releaseLine)).join("\n")}
  }
  # The release of each attempt: one that failed and was made up for elsewhere is its own release's failure.
${[0, 1, 2].map((before) => attemptMap(services, before)).join("")}${stickyKey(plan)}${browserMaps(plan, until)}
  server {
    listen unix:/run/router/admin.sock;
    access_log off;
    location = /generation { return 200 "${generation}"; }
    location = /status { stub_status; }
    location = /streams { js_content streams.count; }
  }
${sharedPorts(services).map(nameless).join("")}${services.map((service) => serviceBlock(plan, service)).join("")}}
`;
}

/** The release of the attempt that `before` others precede, as a map; nginx makes three at most. */
function attemptMap(services: readonly ServicePlan[], before: number): string {
  const lines = services.flatMap(({ servers }) =>
    servers.map((server) => `    "~^(?:[^,]+, ){${before}}${pattern(server)}(?:,|$)" "${server.release}";\n`),
  );
  return `  map $upstream_addr $release_${before + 1} {\n    default "";\n${lines.join("")}  }\n`;
}

function pattern(server: ServerPlan): string {
  return endpoint(server).replaceAll(/[.[\]]/g, "\\$&");
}

function releaseLine(server: ServerPlan): string {
  return `    "~(^|[ ,])${pattern(server)}$" "${server.release}";`;
}

function serviceBlock(plan: GatewayPlan, service: ServicePlan): string {
  const headers = service.public === undefined ? "" : browserHeaders(plan, service);
  const routes = (more: string) => (service.servers.length === 0 ? noServer : locations(plan, service, more));
  return `
${upstream(plan, service)}  server {
    listen unix:/run/gateway/${service.name}.sock backlog=4096;
    set_real_ip_from unix:;
    real_ip_header X-Forwarded-For;
    set $service ${service.name};
    set $stream "";
    location = /.rollback/here { access_log off; return 204; }
${routes(headers)}
  }
  server {
    # For the stack's other services: never held, or a drain would wait for itself.
    listen ${service.containerPort};
    server_name ${service.name};
    set $service ${service.name};
    set $stream "";
${routes("")}
  }
`;
}

/** Ports that several services have in common: there the name in the request decides, and no name is not a guess. */
function sharedPorts(services: readonly ServicePlan[]): readonly number[] {
  const ports = services.map(({ containerPort }) => containerPort);
  return [...new Set(ports.filter((port, index) => ports.indexOf(port) !== index))];
}

function nameless(port: number): string {
  return `
  server {
    listen ${port} default_server;
    access_log off;
    return 421 "Several services share port ${port}: ask for http://SERVICE:${port}.\n";
  }
`;
}

const noServer = `    location / { add_header Retry-After 5 always; return 503; }`;

function upstream(plan: GatewayPlan, service: ServicePlan): string {
  if (service.servers.length === 0) return "";
  if (isSplit(plan, service)) return stickyUpstreams(service);
  const servers = service.servers.map(
    (server) => `    server ${endpoint(server)} weight=${server.weight} max_fails=0; # ${server.release}\n`,
  );
  return `  upstream to_${service.name} {\n    zone to_${service.name} 256k;\n${servers.join("")}  }\n`;
}

function locations(plan: GatewayPlan, service: ServicePlan, more: string): string {
  const split = isSplit(plan, service);
  const sets =
    split && plan.sticky?.by === "cookie" ? "\n      add_header Set-Cookie $sticky_cookie always;" : "";
  const passOn = `\
      proxy_pass http://${split ? stickyTarget(service) : `to_${service.name}`};
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_buffering off;
      proxy_buffer_size 32k;
      proxy_buffers 4 32k;
      proxy_connect_timeout 2s;
      proxy_next_upstream error timeout;
      proxy_next_upstream_tries ${Math.min(service.servers.length, 3)};
      # Only a connection that is not made in time is tried elsewhere, never a slow answer.
      proxy_next_upstream_timeout 5s;
      proxy_set_header Host $host_header;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $upgrade;
      proxy_set_header X-Rollback-Held "";
      js_header_filter streams.begun;
      add_header X-Rollback-Release $release always;${sets}${more}`;
  return `\
    location / {
      error_page 418 = @upgrade;
      if ($http_upgrade) { return 418; }
${passOn}
      proxy_read_timeout 300s;
      proxy_send_timeout 300s;
    }
    location @upgrade {
${passOn}
      proxy_read_timeout 1h;
      proxy_send_timeout 1h;
    }`;
}

function seconds(milliseconds: number): string {
  return `${Math.max(1, Math.ceil(milliseconds / 1000))}s`;
}
