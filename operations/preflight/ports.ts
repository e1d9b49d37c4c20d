import { createServer } from "node:net";
import { Refusal } from "../../settings/refusal.ts";

export interface WantedPort {
  readonly address: string;
  readonly port: number;
  /** Configuration key that asks for it. */
  readonly key: string;
}

/** Throws a Refusal `PORT_TAKEN` that names every wanted port that somebody else listens on. */
export async function checkPorts(wanted: readonly WantedPort[]): Promise<void> {
  const checked = await Promise.all(wanted.map(async (port) => ({ port, free: await isFree(port) })));
  const taken = checked
    .filter(({ free }) => !free)
    .map(({ port }) => `${port.address}:${port.port} (${port.key})`);
  if (taken.length === 0) return;
  throw new Refusal({
    code: "PORT_TAKEN",
    found: `somebody else listens on ${taken.join(", ")}.`,
    untouched: "Nothing was changed.",
    next: "Free the port (`ss -ltnp` shows who has it), or choose another one in the stack configuration.",
  });
}

async function isFree({ address, port }: WantedPort): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "EADDRINUSE"));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
