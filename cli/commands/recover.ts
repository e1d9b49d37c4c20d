import type { Command } from "commander";
import { copy } from "./recover-copy.ts";
import { find } from "./recover-find.ts";
import { look } from "./recover-look.ts";

/** `rollback recover …`: looking at a point in time, finding it, and copying out of it; recovering itself is `pulumi up`. */
export function recover(program: Command): void {
  const group = program
    .command("recover")
    .description("points in time: look at one, find the moment before the damage, copy rows out of it");
  look(group);
  find(group);
  copy(group);
}
