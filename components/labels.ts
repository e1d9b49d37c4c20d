import { stackLabels } from "../settings/stack-names.ts";
import type { Settings } from "../settings/types.ts";

/** Labels by which the stack's own objects are known from everybody else's, in the docker provider's shape. */
export function labels(
  settings: Settings,
  part: string,
  more: Readonly<Record<string, string>> = {},
): { label: string; value: string }[] {
  return Object.entries(stackLabels(settings, part, more)).map(([label, value]) => ({ label, value }));
}
