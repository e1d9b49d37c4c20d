import { unknownName, type KeyPath, type Problem } from "../problems.ts";
import type { Rooms } from "../raw.ts";

type Names = ReadonlySet<string> | undefined;

const aRelease = "a release of rollback:releases";
const aService = "a service of rollback:services";
const aDatabase = "a database of rollback:databases";

/** Every release names every service and every database, and none that is not there. */
export function checkCatalogue({ releases, services, databases }: Rooms): Problem[] {
  return [...releases.valid].flatMap(([name, { services: images, schema = {}, compatible = {} }]) => {
    const at: KeyPath = ["releases", name];
    return [
      ...sameNames([...at, "services"], Object.keys(images), services.names, aService),
      ...sameNames([...at, "schema"], Object.keys(schema), databases.names, aDatabase),
      ...onlyKnown([...at, "compatible"], Object.keys(compatible), databases.names, aDatabase),
      ...twiceSaid(name, images, services),
    ];
  });
}

/** What is live or standing by is in the catalogue, once. */
export function checkLive({ releases, live, standby = [] }: Rooms): Problem[] {
  const alsoLive = standby.flatMap((release, index): Problem[] =>
    live.names?.has(release) === true
      ? [
          {
            path: ["standby", index],
            text: `${JSON.stringify(release)} is live; a release is either live or standing by`,
          },
        ]
      : [],
  );
  const unknown = standby.flatMap((release, index) =>
    releases.names?.has(release) === false
      ? [unknownName(["standby", index], release, aRelease, releases.names)]
      : [],
  );
  return [
    ...onlyKnown(["live"], live.names ?? [], releases.names, aRelease),
    ...weights(live),
    ...alsoLive,
    ...unknown,
  ];
}

function weights({ names, valid }: Rooms["live"]): Problem[] {
  const sum = [...valid.values()].reduce((total, weight) => total + weight, 0);
  // A weight that is wrong in itself has been reported; a sum over the others would say nothing.
  if (names === undefined || names.size === 0 || valid.size < names.size || sum === 100) return [];
  return [{ path: ["live"], text: `the weights add up to ${sum}; they must add up to 100` }];
}

function sameNames(path: KeyPath, given: readonly string[], known: Names, what: string): Problem[] {
  const lacking = [...(known ?? [])].filter((name) => !given.includes(name));
  return [
    ...onlyKnown(path, given, known, what),
    ...lacking.map((name) => ({
      path: [...path, name],
      text: `missing; every release names every ${what.slice(2)}`,
    })),
  ];
}

function onlyKnown(path: KeyPath, given: Iterable<string>, known: Names, what: string): Problem[] {
  if (known === undefined) return [];
  return [...given]
    .filter((name) => !known.has(name))
    .map((name) => unknownName([...path, name], name, what, known));
}

type Images = Readonly<Record<string, { readonly flags?: Readonly<Record<string, string>> | undefined }>>;

/** A flag and a variable of one name: which of them holds would depend on when the service reads what. */
function twiceSaid(release: string, images: Images, services: Rooms["services"]): Problem[] {
  return Object.entries(images).flatMap(([service, { flags = {} }]) => {
    const env = services.valid.get(service)?.env ?? {};
    return Object.keys(flags)
      .filter((flag) => Object.hasOwn(env, flag))
      .map((flag) => ({
        path: ["releases", release, "services", service, "flags", flag],
        text: `also a variable in rollback:services.${service}.env; say it in one place`,
      }));
  });
}
