// A program that changes two schemas and is killed, with SIGKILL and from within, at the moment or step that it is told.
import { changeSchema } from "../../operations/migrations/change.ts";
import { connector } from "../../operations/migrations/connect.ts";
import { databaseAt } from "./migrations.ts";

const { server, folder, wanted, at } = JSON.parse(process.env.RUN);
const die = (moment) => {
  if (moment === at) process.kill(process.pid, "SIGKILL");
};
await changeSchema(
  {
    databases: Object.keys(wanted).map((name) => databaseAt(name, folder)),
    wanted: new Map(Object.entries(wanted)),
    release: "1.0",
  },
  connector(server),
  { at: die, onStep: (step) => die(`${step.database} ${step.version}`) },
);
