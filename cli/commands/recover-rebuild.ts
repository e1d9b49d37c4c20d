import type { Command } from "commander";
import { rebuild as rebuildServer } from "../../operations/recovery/rebuild/rebuild.ts";
import { sourceDown } from "../../operations/recovery/rebuild/source-down.ts";
import { ownCluster } from "../../operations/recovery/look/session.ts";
import { aboutStack, readStack, type StackOptions } from "../stack.ts";

interface RebuildOptions extends StackOptions {
  readonly into: string;
  readonly from?: string;
  readonly toGap: boolean;
  readonly json: boolean;
}

/** `rollback recover rebuild`: a server that does not start any more, put together again on a new volume. */
export function rebuild(group: Command): void {
  aboutStack(group.command("rebuild"))
    .description(
      "put a server that does not start any more together again on a new volume, up to its last transaction; the old one is only read",
    )
    .requiredOption("--into <volume>", "the new volume")
    .option("--from <volume>", "volume of the server; default: that of its container")
    .option(
      "--to-gap",
      "end where WAL is missing or damaged: what was written there and later is lost",
      false,
    )
    .option("--json", "one JSON document on stdout", false)
    .action(async ({ into, from: named, toGap, json, ...stack }: RebuildOptions) => {
      const { settings } = await readStack(stack);
      const cluster = ownCluster(settings);
      const from = await sourceDown(settings, cluster, { named, into });
      const say = (line: string): void => console.error(line);
      const { backup, lsn, lastCommit, timeline } = await rebuildServer({
        settings,
        cluster,
        from,
        into,
        toGap,
        say,
      });
      if (json) {
        console.log(JSON.stringify({ from, into, backup, lsn, lastCommit, timeline }, undefined, 2));
        return;
      }
      const last =
        lastCommit === undefined ? "no transaction since" : `the last transaction of ${lastCommit}+00`;
      console.log(`${into} has everything up to ${lsn} (${backup}, ${last}), on timeline ${timeline}; ${from} stays as it is.
Serve it:  pulumi config set --path rollback:cluster.volume ${into}    (and take rollback:recovery out), then  pulumi up
To go further back from there:  rollback:recovery, as always (docs/recovery.md)`);
    });
}
