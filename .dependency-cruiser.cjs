/** Imports go one way: index → components → hooks → operations; settings may be imported by all; cli → operations. */
const rooms = [
  "index",
  "components",
  "hooks",
  "operations",
  "settings",
  "cli",
  "toolchain",
  "bench",
  "demo",
  "test",
  "examples",
];
const forbid = (from, to, comment) => ({
  name: `${from}-not-to-${to.join("-")}`,
  severity: "error",
  comment,
  from: { path: `^${from}(/|\\.ts$)` },
  to: { path: `^(${to.join("|")})(/|\\.ts$)` },
});
module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    forbid(
      "settings",
      rooms.filter((r) => r !== "settings"),
      "settings is the ground floor",
    ),
    forbid(
      "operations",
      rooms.filter((r) => !["operations", "settings"].includes(r)),
      "operations know nothing of the rooms above",
    ),
    forbid(
      "hooks",
      rooms.filter((r) => !["hooks", "operations", "settings"].includes(r)),
      "hooks adapt operations to Pulumi",
    ),
    forbid(
      "components",
      ["index", "cli", "toolchain", "bench", "demo", "test", "examples"],
      "components stand on hooks and operations",
    ),
    forbid(
      "cli",
      ["index", "components", "hooks", "bench", "demo", "test", "examples"],
      "the command is thin over operations",
    ),
    forbid(
      "index",
      ["cli", "bench", "demo", "test", "examples", "toolchain"],
      "the program does not know its tools",
    ),
    {
      name: "operations-without-pulumi",
      severity: "error",
      comment: "operations and settings must run without the engine",
      from: { path: "^(operations|settings|cli)/" },
      to: { path: "@pulumi/" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)(node_modules|examples/[^/]+/services)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
    },
  },
};
