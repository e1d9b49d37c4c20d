import type { Change } from "./change.ts";
import type { World } from "./world.ts";

/** What a run is about to do, in a few lines, for `pulumi preview` and the beginning of `pulumi up`. Pure. */
export function describeChange(world: World, change: Change, because: readonly string[]): string[] {
  const lines = [
    `this run is a ${change.kind}${change.kind === "first deployment" ? "" : `: ${shortened(because)}`}`,
  ];
  if (change.arriving.length > 0) lines.push(`arrives: ${change.arriving.join(", ")}`);
  if (change.leaving.length > 0) lines.push(`leaves: ${change.leaving.join(", ")}`);
  for (const { database, from, to, direction } of change.schema) {
    lines.push(
      `schema of ${database}: ${from} → ${to} (${direction === "reverse" ? "taken back" : "forward"})`,
    );
  }
  lines.push(change.hold ? `requests are held while ${change.reasons.join(", and ")}` : unheld(change));
  for (const reason of change.notLive) lines.push(`not live, because of ${reason}`);
  if (change.closing.length > 0) lines.push(`closed in the database meanwhile: ${change.closing.join(", ")}`);
  if (change.dump) lines.push("a verified dump and a restore point come first");
  if (!world.server.answers && world.initialised) {
    lines.push(
      `the server does not answer (${world.server.why}); what depends on its state is planned once it does`,
    );
  }
  return lines;
}

function unheld({ live, reasons }: Change): string {
  return live
    ? `no request is held although ${reasons.join(", and ")}: whoever serves runs on both schemas, and locks are short`
    : "no request is held";
}

/** The first few reasons; a long list helps nobody. */
function shortened(reasons: readonly string[]): string {
  const shown = reasons.slice(0, 4);
  return [
    ...shown,
    ...(reasons.length > shown.length ? [`and ${reasons.length - shown.length} more`] : []),
  ].join("; ");
}
