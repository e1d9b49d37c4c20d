import { migrationsFolder, testDatabases } from "./migrations.ts";
import type { TestDatabases, TestFolder } from "./migrations.ts";
import { startPostgres } from "./postgres.ts";
import type { TestPostgres } from "./postgres.ts";

/** What tests of migrations work with; there once the hooks have run. */
export interface MigrationTests {
  readonly postgres: TestPostgres;
  readonly databases: TestDatabases;
  /** Each test's own, with the files that every test begins with. */
  readonly folder: TestFolder;
}

/**
 * Registers the hooks of a `describe`: one server for all of its tests; for each of them, where `each` is given, a folder with
 * these files and new databases of these names (default `app`).
 */
export function migrationTests(each?: {
  readonly files?: Readonly<Record<string, string>>;
  readonly databases?: readonly string[];
}): MigrationTests {
  let server: TestPostgres | undefined;
  let databases: TestDatabases | undefined;
  let folder: TestFolder | undefined;
  before(async () => {
    server = await startPostgres();
    databases = await testDatabases(server);
  });
  after(() => server?.remove());
  if (each !== undefined) {
    beforeEach(async () => {
      folder = await migrationsFolder(each.files);
      for (const name of each.databases ?? ["app"]) await databases?.create(name);
    });
    afterEach(() => folder?.remove());
  }
  return {
    get postgres() {
      return there(server);
    },
    get databases() {
      return there(databases);
    },
    get folder() {
      return there(folder);
    },
  };
}

function there<T>(what: T | undefined): T {
  if (what === undefined) throw new Error("the hooks of these tests have not run yet");
  return what;
}
