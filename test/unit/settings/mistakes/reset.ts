import type { Mistake } from "./mistake.ts";

const asked = (more: object): Pick<Mistake, "at" | "value"> => ({
  at: ["reset"],
  value: { database: "meal_planner", keepAs: "meal_planner_corrupted", ...more },
});

export const reset: readonly Mistake[] = [
  {
    at: ["reset"],
    value: "meal_planner",
    key: "rollback:reset",
    says: 'found "meal_planner"; allowed: a mapping with database, keepAs, back, load',
  },
  {
    at: ["reset"],
    value: { keepAs: "meal_planner_corrupted" },
    key: "rollback:reset.database",
    says: "missing; expected the name of a database",
  },
  {
    ...asked({ database: "meal_planer" }),
    key: "rollback:reset.database",
    says: 'found "meal_planer", which is none of rollback:databases; did you mean "meal_planner"?',
  },
  {
    at: ["reset"],
    value: { database: "meal_planner" },
    key: "rollback:reset.keepAs",
    says: "missing; expected the name of a database",
  },
  {
    ...asked({ keepAs: "meal_planner" }),
    key: "rollback:reset.keepAs",
    says: 'found "meal_planner", which is `database`',
  },
  {
    ...asked({ keepAs: "mealie" }),
    key: "rollback:reset.keepAs",
    says: 'found "mealie", which is another database of this stack',
  },
  {
    ...asked({ back: "meal_planner_corrupted" }),
    key: "rollback:reset.back",
    says: 'found "meal_planner_corrupted", which is `keepAs`',
  },
  {
    ...asked({ back: "mealie" }),
    key: "rollback:reset.back",
    says: 'found "mealie", which is another database of this stack',
  },
  {
    ...asked({ load: "newest" }),
    key: "rollback:reset.load",
    says: 'found "newest"; allowed: a mapping with dump, salvage, tables',
  },
  {
    ...asked({ load: { tables: ["meals"] } }),
    key: "rollback:reset.load",
    says: "names neither `dump` nor `salvage`",
  },
  {
    ...asked({ back: "meal_planner_first", load: { dump: "shop-prod-1" } }),
    key: "rollback:reset.load",
    says: "nothing is loaded into a database that was kept",
  },
  {
    ...asked({ load: { dump: "../elsewhere" } }),
    key: "rollback:reset.load.dump",
    says: 'found "../elsewhere"; allowed: the name of a dump',
  },
  {
    ...asked({ load: { salvage: "" } }),
    key: "rollback:reset.load.salvage",
    says: "found an empty text; allowed: the name of a pack",
  },
  {
    ...asked({ load: { dump: "shop-prod-1", tables: "meals" } }),
    key: "rollback:reset.load.tables",
    says: 'found "meals"; allowed: a list of tables',
  },
  {
    ...asked({ load: { dump: "shop-prod-1", tables: ["meals; drop"] } }),
    key: "rollback:reset.load.tables[0]",
    says: 'found "meals; drop"; allowed: a table as SQL writes it',
  },
  {
    ...asked({}),
    given: [
      [["cluster"], { external: { host: "db.example.com", user: "a", password: { secret: "db" } } }],
      [["recovery"], undefined],
    ],
    key: "rollback:reset",
    says: "a database of a server that is not ours (rollback:cluster.external) cannot be made anew from here",
  },
];
