/** The only maker of `Settings`: the stack configuration parsed and validated once, with every mistake in one message. */
import { assemble } from "./assemble.ts";
import { crossChecks } from "./checks.ts";
import { problemLine, type Problem } from "./problems.ts";
import { readRooms, roomNames, type RawConfiguration } from "./raw.ts";
import { Refusal } from "./refusal.ts";
import type { Settings } from "./types.ts";
import { refuseUnsupported } from "./unsupported.ts";

export type { RawConfiguration } from "./raw.ts";

/**
 * Reads the stack configuration. Throws a Refusal `CONFIG_INVALID` with a line for each mistake, or `CONFIG_UNSUPPORTED` when it
 * asks for what this version does not do. No message repeats anything from `rollback:secrets` or from a key that holds a secret.
 */
export function parseSettings(raw: RawConfiguration): Settings {
  const settings = readSettings(raw);
  refuseUnsupported(settings);
  return settings;
}

/** As `parseSettings`, without asking whether this version carries everything out. */
export function readSettings(raw: RawConfiguration): Settings {
  const { rooms, problems } = readRooms(raw);
  const all = [...problems, ...crossChecks(rooms)];
  const { standby, cluster, gateway, safety, secrets, platform } = rooms;
  const complete = { standby, cluster, gateway, safety, secrets, platform };
  if (all.length === 0 && isComplete(complete)) return assemble(raw, { ...rooms, ...complete });
  throw invalid(raw, all);
}

type Defined<Rooms> = { readonly [Key in keyof Rooms]: Exclude<Rooms[Key], undefined> };

function isComplete<Rooms extends object>(rooms: Rooms): rooms is Rooms & Defined<Rooms> {
  return Object.values(rooms).every((room) => room !== undefined);
}

function invalid({ project, stack }: RawConfiguration, problems: readonly Problem[]): Refusal {
  const mistakes = problems.length === 1 ? "a mistake" : `${problems.length} mistakes`;
  const lines = inContractOrder(problems).map((problem) => `\n    ${problemLine(problem)}`);
  return new Refusal({
    code: "CONFIG_INVALID",
    found: `the configuration of ${project}/${stack} has ${mistakes}:${lines.join("")}`,
    untouched: "Nothing was changed.",
    next: `Correct Pulumi.${stack}.yaml and repeat; docs/configuration.md describes every key.`,
  });
}

/** Room by room as the contract lists them, and within a room as they were found. */
function inContractOrder(problems: readonly Problem[]): readonly Problem[] {
  const rooms: readonly (string | number | undefined)[] = roomNames;
  return problems.toSorted((one, other) => rooms.indexOf(one.path[0]) - rooms.indexOf(other.path[0]));
}
