import { judgeAttempts } from "../verification/bake.ts";
import { failures, type Check } from "../verification/report.ts";
import type { Safety } from "../../settings/types.ts";
import type { Facts } from "./facts.ts";
import { wayOf, type Way, type WayName } from "./ways.ts";

/** What only people know; undefined: nobody has said. */
export interface Told {
  /** Values in the database are wrong. */
  readonly corrupted: boolean | undefined;
  /** Users have reported trouble. */
  readonly affected: boolean | undefined;
}

/** A question of the runbook's decision tree with the answer that was found. */
export interface Answer {
  readonly question: string;
  readonly yes: boolean;
  /** What the answer rests on, a line each. */
  readonly because: readonly string[];
}

export interface Decision {
  /** The way through the tree, first question first. */
  readonly answers: readonly Answer[];
  readonly recommended: WayName;
  /** Every way, the recommended one first. */
  readonly ways: readonly Way[];
}

/** Walks the runbook's decision tree over measured facts. Pure. */
export function decide(
  facts: Facts,
  told: Told,
  limits: Pick<Safety, "errorRate" | "responseTime">,
): Decision {
  const releases = [...new Set(facts.attempts.map(({ release }) => release))].sort();
  const checks = judgeAttempts(facts.attempts, releases, limits);
  const corruption = corrupted(facts, told);
  const broken = brokenCode(facts, checks);
  const affected = usersAffected(told, checks);
  const answers = corruption.yes ? [corruption] : [corruption, broken, affected];
  const recommended = choose(facts, corruption.yes, broken.yes, affected.yes);
  const ways = (["flags", "rollback", "recover", "reset", "forward", "watch"] as const).map((name) =>
    wayOf(name, facts),
  );
  const first = ways.filter(({ name }) => name === recommended);
  return { answers, recommended, ways: [...first, ...ways.filter(({ name }) => name !== recommended)] };
}

function corrupted({ damage }: Facts, told: Told): Answer {
  const signs = damage.map(({ database, text }) => `${database}: ${text}`);
  const said = told.corrupted === undefined ? [] : [`you say ${told.corrupted ? "yes" : "no"}`];
  const none = ["the server knows of no damage; wrong values in sound rows only people see (--corrupted)"];
  return {
    question: "Is there data corruption?",
    // An invalid index or an empty table is a sign, not a proof: somebody who has looked knows better.
    yes: told.corrupted ?? signs.length > 0,
    because: [...said, ...(signs.length > 0 ? signs : said.length > 0 ? [] : none)],
  };
}

function brokenCode({ live, attempts, window, unfinished }: Facts, checks: readonly Check[]): Answer {
  const own = failures(checks).filter(({ what }) => what.endsWith(` ${live}`));
  const measured = checks.map(({ what, found }) => `${what.replace(/^bake /, "")}: ${found}`);
  return {
    question: "Is application code broken?",
    yes: own.length > 0 || unfinished,
    because: [
      ...(unfinished ? ["the last run did not finish"] : []),
      ...own.flatMap(({ wrong }) => wrong),
      ...(attempts.length === 0 ? [`no request in the last ${window} min`] : measured),
    ],
  };
}

function usersAffected(told: Told, checks: readonly Check[]): Answer {
  const bad = failures(checks);
  return {
    question: "Are users experiencing issues?",
    yes: told.affected ?? bad.length > 0,
    because: [
      ...(told.affected === undefined ? [] : [`you say ${told.affected ? "yes" : "no"}`]),
      ...(bad.length > 0
        ? bad.map(({ what, wrong }) => `${what.replace(/^bake /, "")}: ${wrong.join(", ")}`)
        : ["errors and response times are within rollback:safety"]),
    ],
  };
}

function choose(facts: Facts, corruption: boolean, broken: boolean, affected: boolean): WayName {
  const possible = (name: WayName): boolean => wayOf(name, facts).impossible === undefined;
  if (corruption) return possible("recover") ? "recover" : "reset";
  if (!broken && !affected) return "watch";
  const back = facts.back;
  const flagsOnly = back !== undefined && back.code.length === 0 && back.schema.length === 0;
  if (flagsOnly && possible("flags")) return "flags";
  return possible("rollback") ? "rollback" : "forward";
}
