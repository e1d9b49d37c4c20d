import { createHash } from "node:crypto";
import { badFile } from "./files.ts";

/** A change or tag as the plan writes it. */
interface Entry {
  readonly name: string;
  /** `2026-01-02T03:04:05Z` */
  readonly date: string;
  readonly planner: string;
  readonly email: string;
  readonly note: string;
  /** SHA-1 by which Sqitch knows it. */
  readonly id: string;
}

export interface SqitchChange extends Entry {
  /** As written, with the id of the change meant; undefined: it is another project's. */
  readonly requires: readonly { readonly name: string; readonly id: string | undefined }[];
  readonly conflicts: readonly string[];
  readonly tags: readonly Entry[];
  /** 1, or more for a change that reworks an earlier one of its name. */
  readonly instance: number;
  /** Tags between it and the change that reworks it, the last first, e.g. `@v1.0`; empty: it is the current one. */
  readonly reworkedAt: readonly string[];
}

export interface SqitchPlan {
  readonly project: string;
  readonly uri: string | undefined;
  readonly changes: readonly SqitchChange[];
}

// https://github.com/sqitchers/sqitch/blob/develop/lib/App/Sqitch/Plan.pm (_parse)
const pragma = /^\s*%\s*([^\s=]+?)\s*(?:=\s*(.+?))?\s*$/;
const line =
  /^\s*(@)?(?:([+-])\s*)?(\S+?)(?:\s+\[([^\]]+)\])?\s+(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z)\s+([^<]+?)\s+<([^>]+)>\s*$/;

interface Draft extends Omit<SqitchChange, "tags" | "reworkedAt"> {
  readonly tags: Entry[];
  reworkedAt: readonly string[];
}

/** Reads `sqitch.plan`. Throws `MIGRATION_FORMAT`. */
export function parseSqitchPlan(text: string, folder: string): SqitchPlan {
  const pragmas = new Map<string, string>();
  const changes: Draft[] = [];
  const latest = new Map<string, Draft>();
  for (const [index, raw] of text.split("\n").entries()) {
    const [, body = "", , comment] = /^(.*?)(\s*#\s*(.*))?$/.exec(raw) ?? [];
    if (body.trim() === "") continue;
    const found = pragma.exec(body);
    if (found?.[1] !== undefined) {
      pragmas.set(found[1], found[2] ?? "1");
      continue;
    }
    const [, at, operator, name = "", dependencies = "", date = "", planner = "", email = ""] =
      line.exec(body) ?? [];
    if (name === "" || operator === "-") {
      throw badFile(
        folder,
        "sqitch.plan",
        `cannot be understood in line ${index + 1}`,
        "Check it with:  sqitch plan",
      );
    }
    const note = unescape(comment ?? "");
    const project = pragmas.get("project") ?? "";
    const head = [`project ${project}`, ...(pragmas.has("uri") ? [`uri ${pragmas.get("uri") ?? ""}`] : [])];
    const tail = [`planner ${planner} <${email}>`, `date ${date}`];
    const about = note === "" ? [] : ["", note];
    const last = changes.at(-1);
    if (at === "@") {
      if (last === undefined) {
        throw badFile(
          folder,
          "sqitch.plan",
          `has a tag before any change in line ${index + 1}`,
          "Check it with:  sqitch plan",
        );
      }
      const id = gitId("tag", [...head, `tag @${name}`, `change ${last.id}`, ...tail, ...about]);
      last.tags.push({ name: `@${name}`, date, planner, email, note, id });
      continue;
    }
    const each = dependencies.split(/\s+/).filter((dependency) => dependency !== "");
    const conflicts = each
      .filter((dependency) => dependency.startsWith("!"))
      .map((dependency) => dependency.slice(1));
    const requires = each.filter((dependency) => !dependency.startsWith("!"));
    const id = gitId("change", [
      ...head,
      `change ${name}`,
      ...(last === undefined ? [] : [`parent ${last.id}`]),
      ...tail,
      ...(requires.length === 0 ? [] : [`requires\n  + ${requires.join("\n  + ")}`]),
      ...(conflicts.length === 0 ? [] : [`conflicts\n  - ${conflicts.join("\n  - ")}`]),
      ...about,
    ]);
    const before = latest.get(name);
    if (before !== undefined) {
      const since = changes.slice(changes.indexOf(before)).toReversed();
      before.reworkedAt = since.flatMap(({ tags }) => tags.map((tag) => tag.name));
    }
    const change: Draft = {
      name,
      date,
      planner,
      email,
      note,
      id,
      requires: requires.map((dependency) => ({
        name: dependency,
        id: required(changes, dependency, project),
      })),
      conflicts,
      tags: [],
      instance: (before?.instance ?? 0) + 1,
      reworkedAt: [],
    };
    latest.set(name, change);
    changes.push(change);
  }
  if (!pragmas.has("project"))
    throw badFile(folder, "sqitch.plan", "has no %project", "Add %project=NAME at its top.");
  return {
    project: pragmas.get("project") ?? "",
    uri: pragmas.get("uri"),
    changes,
  };
}

/** The id that a dependency means: `name`, `name@tag`, `@tag`, an id, or any of them behind `project:`. */
function required(changes: readonly Draft[], dependency: string, project: string): string | undefined {
  const [, of = project, rest = ""] = /^(?:([^:]+):)?(.*)$/.exec(dependency) ?? [];
  if (of !== project) return undefined;
  const [name = "", tag] = rest.split("@");
  const tagged = changes.findIndex(({ tags }) => tags.some((each) => each.name === `@${tag ?? ""}`));
  const known = tagged === -1 ? changes : changes.slice(0, tagged + 1);
  if (name === "") return known.at(-1)?.id;
  return (known.findLast((change) => change.name === name) ?? known.find(({ id }) => id === name))?.id;
}

/** As git names objects: SHA-1 over kind, length and text. */
function gitId(kind: string, lines: readonly string[]): string {
  const text = lines.join("\n");
  return createHash("sha1")
    .update(`${kind} ${Buffer.byteLength(text)}\0${text}`)
    .digest("hex");
}

/** Line breaks and backslashes in notes are written `\n` and `\\`. */
function unescape(note: string): string {
  return note.replaceAll(/\\([\\nr])/g, (_, code: string) =>
    code === "n" ? "\n" : code === "r" ? "\r" : "\\",
  );
}
