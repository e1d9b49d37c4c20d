/** PostgreSQL's own parser. Imported from here only, so that it is compiled as compile-once.ts says. */
import "./compile-once.ts";

export { hasSqlDetails, loadModule, parseSync, scanSync } from "libpg-query";
