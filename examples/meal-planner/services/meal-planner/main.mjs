import { createLog } from "../shared/log.mjs";
import { createPool } from "../shared/database.mjs";
import { createCache } from "./cache.mjs";
import { createJsonServer, stopOnSignal } from "../shared/http.mjs";
import { readFlags } from "../shared/flags.mjs";
import * as code from "./releases/current.mjs";
import { routes } from "./routes.mjs";

const { DATABASE_URL, MEALIE_URL, REDIS_URL, API_KEY, RELEASE = code.version, PORT = "8080" } = process.env;
const log = createLog({ service: "meal-planner", release: RELEASE });
if (!DATABASE_URL) {
  log.error("DATABASE_URL is not set");
  process.exit(78);
}

const pool = createPool({ url: DATABASE_URL, name: `meal-planner ${RELEASE}`, log });
const state = { flags: readFlags(process.env) };
const server = createJsonServer({
  release: RELEASE,
  log,
  routes: routes({
    code,
    pool,
    cache: createCache({ url: REDIS_URL, log }),
    log,
    mealieUrl: MEALIE_URL,
    apiKey: API_KEY,
    flags: () => state.flags,
    reload: () => (state.flags = readFlags(process.env)),
  }),
});
stopOnSignal({ server, log, close: () => pool.end() });
server.listen(Number(PORT), () =>
  log.info("listening", { port: Number(PORT), code: code.version, flags: state.flags }),
);
