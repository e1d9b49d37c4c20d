import { checkPlan, doorPorts } from "./plan.ts";
import type { GatewayPlan } from "./plan.ts";

/** Where the text of `doorConfig` belongs in the door's container; read once, at its start. */
export const doorConfigPath = "/etc/gateway/door/listeners.conf";

/**
 * The public listeners of the door, one per public service, as nginx text. It mentions neither releases nor containers,
 * so that it only changes with the services themselves.
 *
 * A request first passes the gate, before its body is read. Then it goes to the router's unix socket over a fresh
 * connection, both ways unbuffered: what is in flight anywhere is in flight at the router, and nothing is spooled.
 * A connection that is refused (no router, or its queue is full) falls to the door's own waiting listener, which asks
 * for the router and passes the request on once it answers. nginx does that with any request that was not sent, and
 * with a GET, HEAD, PUT or DELETE without a body whose answer had not begun; never with a POST that was sent.
 * A limit: nginx notices that a client gave up only after it passed the request on, so one that hung up while it was
 * held may still have its request carried out.
 */
export function doorConfig(plan: Pick<GatewayPlan, "services" | "behind">): string {
  checkPlan({ hold: 0, held: 0, drain: 0, ...plan });
  const clients = plan.behind === true ? told : seen;
  const listeners = [...doorPorts(plan)].map(([service, port]) => publicListener(service, port, clients));
  return ["# Written by rollback.", ...listeners].join("\n");
}

/** Where the client's address comes from: the connection, or what the nginx in front says (nobody else reaches the door). */
interface Clients {
  readonly from: string;
  readonly forwardedFor: string;
}
const seen: Clients = { from: "", forwardedFor: "$proxy_add_x_forwarded_for" };
const told: Clients = {
  from: `
    set_real_ip_from 0.0.0.0/0;
    set_real_ip_from ::/0;
    real_ip_header X-Forwarded-For;`,
  forwardedFor: "$http_x_forwarded_for",
};

const passOn = `\
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_buffering off;
      proxy_buffer_size 32k;
      proxy_buffers 4 32k;
      proxy_read_timeout 1h;
      proxy_send_timeout 1h;
      proxy_set_header Host $door_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $door_connection;
      js_header_filter streams.begun;
      access_log /dev/null nothing if=$stream_over;`;

const answers = `\
    # Turned away by the gate; a 403 of the application is not nginx's own and passes through.
    location @closed {
      default_type text/html;
      add_header Retry-After 5 always;
      add_header Cache-Control no-store always;
      return 503 "${maintenancePage()}";
    }
    # Never sent anywhere: as if closed. Sent and not answered: the truth, since nobody knows whether it was done.
    location @unreached {
      default_type text/html;
      add_header Retry-After 5 always;
      add_header Cache-Control no-store always;
      if ($door_unsent) { return 503 "${maintenancePage()}"; }
      return 502;
    }`;

function publicListener(service: string, port: number, clients: Clients): string {
  const router = `unix:/run/gateway/${service}.sock`;
  const waiting = `unix:/run/door/${service}.wait.sock`;
  return `
upstream door_${service} {
  server ${router} max_fails=0;
  server ${waiting} max_fails=0 backup;
}
upstream late_${service} { server ${router} max_fails=0; }

server {
    listen ${port} backlog=4096;${clients.from}
    set $stream "";
    location / {
      auth_request /.rollback/gate;
      auth_request_set $door_held $sent_http_x_held;
      error_page 403 = @closed;
      error_page 502 = @unreached;
      proxy_pass http://door_${service};
      proxy_next_upstream error;
      proxy_next_upstream_tries 2;
${passOn}
      proxy_set_header X-Forwarded-For ${clients.forwardedFor};
      proxy_set_header X-Forwarded-Proto $door_proto;
      proxy_set_header X-Forwarded-Host $door_forwarded_host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Rollback-Held $door_held;
    }
    location ^~ /.rollback/ { return 404; }
    location = /.rollback/gate { internal; js_content gate.pass; }
${answers}
}

server {
    listen ${waiting} backlog=4096;
    # Each look at a router that is away would be a line.
    error_log /dev/null;
    set $stream "";
    location / {
      auth_request /.rollback/gate;
      error_page 403 = @closed;
      error_page 502 = @unreached;
      proxy_pass http://late_${service};
      proxy_next_upstream off;
${passOn}
    }
    location = /.rollback/gate { internal; set $door_service ${service}; js_content gate.passWhenRouted; }
    location = /.rollback/router {
      internal;
      proxy_method GET;
      proxy_pass_request_body off;
      proxy_pass_request_headers off;
      proxy_connect_timeout 1s;
      proxy_read_timeout 1s;
      proxy_set_header Host router;
      proxy_pass http://late_${service}/.rollback/here;
    }
${answers}
}
`;
}

/** What a browser shows while requests are turned away, as it stands in quotes in an nginx configuration. */
export function maintenancePage(): string {
  return (
    "<!doctype html><html lang='en'><meta charset='utf-8'><title>Back in a moment</title>" +
    "<body style='font-family:sans-serif;margin:15% auto;max-width:30em;text-align:center'>" +
    "<h1>Back in a moment</h1><p>A change is being made. Please try again in a few seconds.</p></body></html>\\n"
  );
}
