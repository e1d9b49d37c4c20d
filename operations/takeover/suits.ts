import { docker } from "../docker/run.ts";
import { dataFolderOf, type ForeignServer } from "./foreign.ts";
import type { ForeignContainer } from "./inspect.ts";

/** What our PostgreSQL image has to offer to data that another image made. */
export interface ImageOffers {
  /** As `locale -a` lists them. */
  readonly locales: readonly string[];
  readonly extensions: readonly string[];
  /** Libraries that can be preloaded, without their ending. */
  readonly libraries: readonly string[];
}

/** Major version of the server in our image. */
const ourMajor = 17;

const script = `locale -a; echo; cd "$(pg_config --sharedir)/extension"; ls; echo; cd "$(pg_config --pkglibdir)"; ls`;

/** Asks the image. */
export async function imageOffers(image: string): Promise<ImageOffers> {
  return offersFrom(
    await docker(["run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c", script]),
  );
}

/** What the image printed: locales, files of extensions and libraries, with an empty line between them. */
export function offersFrom(printed: string): ImageOffers {
  const [locales = [], files = [], libraries = []] = printed
    .split(/\n\s*\n/)
    .map((part) => part.split("\n").filter(Boolean));
  const ending = (names: readonly string[], end: string): string[] =>
    names.flatMap((name) => (name.endsWith(end) ? [name.slice(0, -end.length)] : []));
  return { locales, extensions: ending(files, ".control"), libraries: ending(libraries, ".so") };
}

/** Why our image cannot serve from the data of this server, a sentence each; empty: it can. Pure. */
export function unsuited(
  { name, environment }: Pick<ForeignContainer, "name" | "environment">,
  server: ForeignServer,
  offers: ImageOffers,
): string[] {
  if (server.major !== ourMajor) {
    return [
      `${name} runs PostgreSQL ${server.version}, and the stack's image has ${ourMajor}: bring the data to ${ourMajor} first (pg_upgrade, or a dump into a new server)`,
    ];
  }
  const locales = server.databases.flatMap((database) => database.locales);
  const extensions = server.databases.flatMap((database) => database.extensions);
  return [
    ...missing(locales, offers.locales, localeName).map(
      (locale) => `a database has the locale ${locale}, which the stack's image does not have`,
    ),
    ...missing(extensions, offers.extensions).map(
      (extension) => `the extension ${extension} is in use, which the stack's image does not have`,
    ),
    ...missing(server.preloaded, offers.libraries).map(
      (library) => `shared_preload_libraries names ${library}, which the stack's image does not have`,
    ),
    ...server.databases
      .filter(({ encoding }) => encoding !== "UTF8")
      .map((database) => `the database ${database.name} is encoded in ${database.encoding}, not in UTF8`),
    ...server.tablespaces.map((folder) => `a tablespace lies in ${folder}, outside the data directory`),
    ...(server.dataDirectory === dataFolderOf({ environment })
      ? []
      : [`the server's data lies in ${server.dataDirectory}, which PGDATA of ${name} does not say`]),
  ];
}

/** What to do about it. */
export const makeImage =
  "An image FROM the stack's own (images/postgres) with what is missing helps: name it in rollback:cluster.image.";

function missing(
  wanted: readonly string[],
  offered: readonly string[],
  normal: (name: string) => string = (name) => name,
): string[] {
  const known = new Set(offered.map(normal));
  return [...new Set(wanted)].filter((name) => !known.has(normal(name)));
}

/** `en_US.UTF-8` and `en_US.utf8` are one locale. */
function localeName(name: string): string {
  return name.toLowerCase().replace(/\.utf-?8$/, ".utf8");
}
