import { unknownName, type KeyPath, type Problem } from "../problems.ts";
import type { Rooms } from "../raw.ts";

/** Every release names every service and every database, and none that is not there. */
export function checkCatalogue({ releases, services, databases }: Rooms): Problem[] {
  return [...releases.valid].flatMap(([name, release]) => {
    const at: KeyPath = ["releases", name];
    return [
      ...sameNames([...at, "services"], release.services, services.names, "a service of rollback:services"),
      ...sameNames(
        [...at, "schema"],
        release.schema ?? {},
        databases.names,
        "a database of rollback:databases",
      ),
      ...onlyKnown(
        [...at, "compatible"],
        release.compatible ?? {},
        databases.names,
        "a database of rollback:databases",
      ),
      ...twiceSaid(name, release, services),
    ];
  });
}

/** What is live or standing by is in the catalogue, once. */
export function checkLive({ releases, live, standby }: Rooms): Problem[] {
  const what = "a release of rollback:releases";
  const weighted = live ?? {};
  return [
    ...onlyKnown(["live"], weighted, releases.names, what),
    ...(standby ?? []).flatMap((release, index): Problem[] => {
      if (Object.hasOwn(weighted, release)) {
        return [
          {
            path: ["standby", index],
            text: `${JSON.stringify(release)} is live; a release is either live or standing by`,
          },
        ];
      }
      if (releases.names === undefined || releases.names.has(release)) return [];
      return [unknownName(["standby", index], release, what, releases.names)];
    }),
  ];
}

type Named = Readonly<Record<string, unknown>>;

function sameNames(
  path: KeyPath,
  given: Named,
  known: ReadonlySet<string> | undefined,
  what: string,
): Problem[] {
  const lacking = [...(known ?? [])].filter((name) => !Object.hasOwn(given, name));
  return [
    ...onlyKnown(path, given, known, what),
    ...lacking.map((name) => ({
      path: [...path, name],
      text: `missing; every release names every ${what.slice(2)}`,
    })),
  ];
}

function onlyKnown(
  path: KeyPath,
  given: Named,
  known: ReadonlySet<string> | undefined,
  what: string,
): Problem[] {
  if (known === undefined) return [];
  return Object.keys(given)
    .filter((name) => !known.has(name))
    .map((name) => unknownName([...path, name], name, what, known));
}

type Release = Rooms["releases"]["valid"] extends ReadonlyMap<string, infer Value> ? Value : never;

/** A flag and a variable of one name: which of them holds would depend on when the service reads what. */
function twiceSaid(name: string, release: Release, services: Rooms["services"]): Problem[] {
  return Object.entries(release.services).flatMap(([service, { flags = {} }]) => {
    const env = services.valid.get(service)?.env ?? {};
    return Object.keys(flags)
      .filter((flag) => Object.hasOwn(env, flag))
      .map((flag) => ({
        path: ["releases", name, "services", service, "flags", flag],
        text: `also a variable in rollback:services.${service}.env; say it in one place`,
      }));
  });
}
