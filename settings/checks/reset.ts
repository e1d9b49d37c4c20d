import { suggestion, type Problem } from "../problems.ts";
import type { Rooms } from "../raw.ts";

/** The database that is made anew is one of the stack, on a server of its own; the names it leaves are nobody else's. */
export function checkReset({ reset, databases, cluster }: Rooms): Problem[] {
  if (reset === undefined) return [];
  const problems: Problem[] = [];
  if (cluster !== undefined && "external" in cluster)
    problems.push({
      path: ["reset"],
      text: "a database of a server that is not ours (rollback:cluster.external) cannot be made anew from here",
    });
  const { names } = databases;
  if (names === undefined) return problems;
  if (!names.has(reset.database))
    problems.push({
      path: ["reset", "database"],
      text: `found "${reset.database}", which is none of rollback:databases; ${suggestion(reset.database, [...names])}`,
    });
  for (const key of ["keepAs", "back"] as const) {
    const name = reset[key];
    if (name !== undefined && name !== reset.database && names.has(name))
      problems.push({
        path: ["reset", key],
        text: `found "${name}", which is another database of this stack`,
      });
  }
  return problems;
}
