import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { bridgeAddress } from "./bridge-address.ts";
import { cacheFolder, contentOf, fingerprint, madeOnce } from "../../toolchain/cache.ts";
import { goBuild } from "../../toolchain/go.ts";

/** A storage that speaks S3, in memory, in reach of every container of this machine. */
export interface TestS3 {
  readonly host: string;
  readonly port: number;
  /** Of itself, as PEM. */
  readonly certificate: string;
  readonly stop: () => Promise<void>;
}

const folder = path.join(import.meta.dirname, "s3");
const greeting = z.object({ port: z.number(), certificate: z.string() });

/** Builds it if need be and starts it on the address by which containers reach this machine. */
export async function startS3(bucket: string, accessKey: string): Promise<TestS3> {
  const made = await madeOnce(
    path.join(cacheFolder(), "test-s3", fingerprint(await contentOf(folder))),
    (temporary) =>
      goBuild(
        "test",
        { title: "building gofakes3", folder, target: ".", version: "main.version=test" },
        path.join(temporary, "s3"),
      ),
  );
  const host = await bridgeAddress();
  const child = spawn(path.join(made, "s3"), [host, bucket, accessKey], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  for await (const line of createInterface({ input: child.stdout })) {
    const { port, certificate } = greeting.parse(JSON.parse(line));
    return {
      host,
      port,
      certificate,
      stop: async () => {
        child.kill();
        await ended;
      },
    };
  }
  throw new Error("the S3 server ended before it listened");
}
