import type { Command } from "commander";
import { adopt } from "./adopt.ts";
import { archives } from "./archives.ts";
import { backup } from "./backup.ts";
import { decide } from "./decide.ts";
import { draft } from "./draft.ts";
import { init } from "./init.ts";
import { migrations } from "./migrations.ts";
import { monitor } from "./monitor.ts";
import { prune } from "./prune.ts";
import { recover } from "./recover.ts";
import { reset } from "./reset.ts";
import { restore } from "./restore.ts";
import { salvage } from "./salvage.ts";
import { status } from "./status.ts";
import { verification } from "./verification.ts";

/** Adds one command to the program. */
export type Register = (program: Command) => void;

/** Every command, in the order in which the help lists them. */
export const commands: readonly Register[] = [
  init,
  status,
  verification,
  decide,
  backup,
  recover,
  salvage,
  reset,
  monitor,
  migrations,
  draft,
  archives,
  restore,
  prune,
  adopt,
];
