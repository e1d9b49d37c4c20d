import { releaseName } from "../identifiers.ts";
import { list, whole } from "../shapes.ts";

/** Releases with traffic and their share of it. */
export const live = {
  key: releaseName,
  entry: whole(
    "a weight, a whole number from 1 to 100 (a release without traffic belongs in rollback:standby)",
    1,
    100,
  ),
  allowed: 'a mapping of releases to weights that add up to 100, such as { "1.2.0": 100 }',
};

/** Releases kept ready without traffic. */
export const standby = list(releaseName, 'a list of releases, such as ["1.2.0"]');
