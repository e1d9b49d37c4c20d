import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { Refusal } from "../../settings/refusal.ts";

/** Serves a text to Prometheus. Throws the Refusal `METRICS_NOT_SERVED` when it cannot listen there. */
export async function serveMetrics(
  { address, port }: { readonly address: string; readonly port: number },
  text: () => string,
): Promise<Server> {
  const server = createServer((_, response) => {
    response.setHeader("content-type", "text/plain; version=0.0.4");
    response.end(text());
  });
  server.listen(port, address);
  try {
    await once(server, "listening");
  } catch (cause) {
    throw new Refusal({
      code: "METRICS_NOT_SERVED",
      found: `nothing can listen at ${address}:${port}: ${cause instanceof Error ? cause.message : "unknown"}.`,
      untouched: "Nothing is watched.",
      next: "Name another --metrics port or --metrics-address.",
      cause,
    });
  }
  return server;
}
