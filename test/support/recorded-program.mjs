// The program behind the recording of the official postgresql plugin: one resource of each type, with the references
// between them that the recording's previews show. Its inputs come as JSON in RECORDED.
import * as postgresql from "@pulumi/postgresql";

const { inputs, connection, publication } = JSON.parse(process.env.RECORDED ?? "{}");
const provider = new postgresql.Provider("server", { ...connection, sslmode: "disable", superuser: true });
const opts = { provider };

const app = new postgresql.Role("app", inputs.app, opts);
const login = new postgresql.Role("login", { ...inputs.login, roles: [app.name] }, opts);
const db = new postgresql.Database("db", { ...inputs.db, owner: app.name }, opts);
const ext = new postgresql.Extension("ext", { ...inputs.ext, database: db.name }, opts);
const schema = new postgresql.Schema(
  "schema",
  { ...inputs.schema, database: db.name, owner: app.name },
  opts,
);
const grole = new postgresql.GrantRole("grole", { ...inputs.grole, role: login.name }, opts);
const inDatabase = { database: db.name, role: login.name };
const gdb = new postgresql.Grant("gdb", { ...inputs.gdb, ...inDatabase }, opts);
const gschema = new postgresql.Grant("gschema", { ...inputs.gschema, ...inDatabase }, opts);
const gtable = new postgresql.Grant("gtable", { ...inputs.gtable, ...inDatabase }, opts);
const dp = new postgresql.DefaultPrivileges("dp", { ...inputs.dp, ...inDatabase, owner: app.name }, opts);
if (publication === true) new postgresql.Publication("other", { database: db.name }, opts);

export const names = [app, login, db, ext, schema, grole, gdb, gschema, gtable, dp].map((one) => one.id);
