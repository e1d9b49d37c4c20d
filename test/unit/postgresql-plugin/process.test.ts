import assert from "node:assert/strict";
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { credentials } from "@grpc/grpc-js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import type plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import grpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import proto from "@pulumi/pulumi/proto/provider_pb.js";

const main = path.join(import.meta.dirname, "../../../toolchain/postgresql-plugin/main.ts");
type Child = ChildProcessByStdio<null, Readable, null>;

/** Starts the plugin under a shell of its own, as the engine would: the pid of the plugin and its port. */
async function start(): Promise<{ readonly shell: Child; readonly pid: number; readonly port: number }> {
  const script = `"$0" "$1" & echo "$!"; wait`;
  const shell = spawn("sh", ["-c", script, process.execPath, main], { stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  while (printed.split("\n").length < 3) {
    const [chunk] = (await once(shell.stdout, "data")) as [Buffer];
    printed += chunk.toString();
  }
  const [pid = "", port = ""] = printed.split("\n");
  return { shell, pid: Number(pid), port: Number(port) };
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function ends(pid: number): Promise<boolean> {
  for (let waited = 0; waited < 5000 && isRunning(pid); waited += 50) await sleep(50);
  return !isRunning(pid);
}

describe("the stand-in's process", function () {
  this.timeout(30_000);

  it("answers the engine, and ends when asked", async () => {
    const { shell, pid, port } = await start();
    const client = new grpc.ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());
    const info = await new Promise<plugin.PluginInfo>((resolve, reject) => {
      client.getPluginInfo(new empty.Empty(), (error, answer) =>
        error === null ? resolve(answer) : reject(error),
      );
    });
    assert.equal(info.getVersion(), "3.18.1");

    const request = new proto.CheckRequest()
      .setUrn("urn:pulumi:s::p::app:index:Cluster$postgresql:index/role:Role::reader")
      .setNews(struct.Struct.fromJavaScript({ name: "r", password: "p" }));
    const checked = await new Promise<proto.CheckResponse>((resolve, reject) => {
      client.check(request, (error, answer) => (error === null ? resolve(answer) : reject(error)));
    });
    const inputs = checked.getInputs()?.toJavaScript() ?? {};
    assert.equal(inputs["validUntil"], "infinity");
    assert.match(
      JSON.stringify(inputs["password"]),
      /1b47061264138c4ac30d75fd1eb44270/u,
      "marked as a secret",
    );
    client.close();

    process.kill(pid, "SIGINT");
    assert.ok(await ends(pid));
    shell.kill("SIGKILL");
  });

  it("does not outlive an engine that was killed", async () => {
    const { shell, pid } = await start();
    shell.kill("SIGKILL");
    assert.ok(await ends(pid));
  });
});
