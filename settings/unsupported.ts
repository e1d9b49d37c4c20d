/** What the contract knows and this program does not carry out yet. Refused, because an ignored setting is believed to hold. */
import { Refusal } from "./refusal.ts";
import type { Settings } from "./types.ts";

interface Unsupported {
  readonly key: string;
  readonly asked: (settings: Settings) => boolean;
  readonly instead: string;
}

/** Take a line out when its feature arrives. */
export const notYet: readonly Unsupported[] = [
  {
    key: "rollback:safety.rehearsal",
    asked: ({ safety }) => safety.rehearsal !== "off",
    instead: "leave it out, and rehearse on a staging stack",
  },
];

/** Throws a Refusal `CONFIG_UNSUPPORTED` that names every key which would have to be ignored. */
export function refuseUnsupported(settings: Settings, list: readonly Unsupported[] = notYet): void {
  const asked = list.filter((feature) => feature.asked(settings));
  if (asked.length === 0) return;
  throw new Refusal({
    code: "CONFIG_UNSUPPORTED",
    found: `${asked.map(({ key }) => key).join(" and ")} ${asked.length === 1 ? "is" : "are"} understood, but not carried out by this version.`,
    untouched: "Nothing was changed.",
    next: asked.map(({ key, instead }) => `${key}: ${instead}`).join("\n"),
  });
}
