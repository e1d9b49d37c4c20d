import { execa } from "execa";

/** Runs one command in a container and feeds what it prints to another in another, as `postgres` over the socket. */
export async function dockerPipe(source: readonly string[], sink: readonly string[]): Promise<void> {
  const inside = (command: readonly string[]): string[] => ["exec", "-i", "-u", "postgres", ...command];
  await execa("docker", inside(source), { stdin: "ignore" }).pipe("docker", inside(sink));
}
