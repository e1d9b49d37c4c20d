import { execa } from "execa";
import { z } from "zod";

const told = z.object({
  Type: z.string(),
  Action: z.string(),
  Actor: z.object({ Attributes: z.record(z.string(), z.string()) }),
});

/** What Docker makes from now on. */
export interface Creations {
  /** Resolves when a container or network with such a name has been made, within milliseconds; also one seen before. */
  made(name: RegExp): Promise<string>;
  close(): Promise<void>;
}

/** Begins to watch Docker for new containers and networks; `event`: `die` for those that end instead. */
export function watchCreations(event: "create" | "die" = "create"): Creations {
  const seen: string[] = [];
  const waiting = new Set<() => void>();
  const watcher = execa("docker", ["events", "--filter", `event=${event}`, "--format", "{{json .}}"], {
    reject: false,
    buffer: false,
    stdin: "ignore",
  });
  const reading = (async () => {
    for await (const line of watcher) {
      const { Type, Actor } = told.parse(JSON.parse(line));
      if (Type !== "container" && Type !== "network") continue;
      seen.push(Actor.Attributes["name"] ?? "");
      for (const look of waiting) look();
    }
  })();
  // Ended by `close`: what it was in the middle of is of no interest.
  reading.catch(() => undefined);
  return {
    made: (name) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = seen.find((each) => name.test(each));
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
    async close() {
      watcher.kill();
      await watcher;
    },
  };
}
