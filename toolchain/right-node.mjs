// Loaded before each script of package.json (`node --import`), in JavaScript that any Node reads: one that is too old
// cannot even load the TypeScript which would tell so.
if (Number(process.versions.node.split(".")[0]) < 24) {
  console.error(`refused WRONG_NODE: this is Node ${process.versions.node} (${process.execPath}); the project needs Node 24 or later.
  Nothing was changed.
  Run \`npm ci\` (without --ignore-scripts): it brings the npm package \`node\`, which npm scripts use.
  Then start this as an npm script, for example \`npm run setup\`.`);
  process.exit(1);
}
