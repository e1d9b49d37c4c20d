/**
 * The stand-in for Pulumi's postgresql plugin: a resource provider for the types the program uses. The engine starts
 * it as `pulumi-resource-postgresql ADDRESS`, reads the port from the first line of output and ends it when it is done.
 */
import { enableCompileCache } from "node:module";
import { join } from "node:path";

// Read first: a parent that dies while the modules load would be missed otherwise.
const parent = process.ppid;

// Every update starts this process. The cache halves the time that loading takes; without a place for it, it goes without.
enableCompileCache(join(import.meta.dirname, "../../node_modules/.cache/postgresql-plugin"));

const [{ Server, ServerCredentials }, { default: provider }, { service }] = await Promise.all([
  import("@grpc/grpc-js"),
  import("@pulumi/pulumi/proto/provider_grpc_pb.js"),
  import("./service.ts"),
]);

// Large schemas are no topic here, but the engine's own limit is 400 MB and a smaller one would only fail later.
const server = new Server({ "grpc.max_receive_message_length": 400 * 1024 * 1024 });
server.addService(provider.ResourceProviderService, service(process.env));
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.stdout.write(`${port}\n`);
});

// How the engine ends a plugin, after it has said `Cancel`; what ignores it is killed five seconds later. Plugins have a
// process group of their own, so Ctrl-C at the keyboard does not arrive here.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));

// A killed engine cannot end its plugins. Without a parent of its own the process belongs to somebody else (init).
setInterval(() => {
  if (process.ppid !== parent) process.exit(0);
}, 500).unref();
