import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { processes } from "./processes.ts";

/** Every file below `folder`, read byte by byte, also what is compressed in it. @returns how many, and those that hold one of `secrets`. */
export async function searchFiles(
  folder: string,
  secrets: readonly string[],
): Promise<{ readonly files: number; readonly unpacked: number; readonly found: readonly string[] }> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((each) => path.join(each.parentPath, each.name));
  const found: string[] = [];
  let unpacked = 0;
  for (const file of files) {
    const bytes = await readFile(file);
    const content = decompressed(bytes);
    if (content !== undefined) unpacked += 1;
    if ([bytes, content].some((each) => each !== undefined && holds(each, secrets))) found.push(file);
  }
  return { files: files.length, unpacked, found };
}

function holds(bytes: Buffer, secrets: readonly string[]): boolean {
  return secrets.some((secret) => bytes.includes(secret));
}

/** By the first bytes (RFC 8878 and 1952); undefined: it is not compressed. */
function decompressed(bytes: Buffer): Buffer | undefined {
  if (bytes.subarray(0, 4).equals(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]))) return zstdDecompressSync(bytes);
  if (bytes.subarray(0, 2).equals(Buffer.from([0x1f, 0x8b]))) return gunzipSync(bytes);
  return undefined;
}

/** Looks at the arguments of every process of this machine, over and over, until `work` has ended. @returns those with a secret. */
export async function watchArguments(
  secrets: readonly string[],
  work: () => Promise<unknown>,
): Promise<{ readonly seen: number; readonly found: readonly string[] }> {
  const seen = new Set<string>();
  const working = new AbortController();
  const watching = (async () => {
    while (!working.signal.aborted) for (const { command } of await processes()) seen.add(command);
  })();
  try {
    await work();
  } finally {
    working.abort();
    await watching;
  }
  return { seen: seen.size, found: [...seen].filter((each) => holds(Buffer.from(each), secrets)) };
}
