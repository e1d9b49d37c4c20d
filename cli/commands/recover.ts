import type { Command } from "commander";
import { copy } from "./recover-copy.ts";
import { find } from "./recover-find.ts";
import { look } from "./recover-look.ts";
import { rebuild } from "./recover-rebuild.ts";

/** `rollback recover …`: looking at a point in time, finding it, copying out of it, and a server that does not start; recovering itself is `pulumi up`. */
export function recover(program: Command): void {
  const group = program
    .command("recover")
    .description(
      "points in time: look at one, find the moment before the damage, copy rows out of it; rebuild a server that does not start",
    );
  look(group);
  find(group);
  copy(group);
  rebuild(group);
}
