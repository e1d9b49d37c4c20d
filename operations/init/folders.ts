import { stat } from "node:fs/promises";
import { stackNames } from "../../settings/stack-names.ts";
import type { ForeignContainer } from "../takeover/inspect.ts";
import { partOf } from "./draft-names.ts";
import type { BoundFolder, InitRequest } from "./request.ts";

/**
 * Folders of this machine that a container writes to. A release's containers mount volumes only, so each gets a volume that
 * lies over it. A single file, and what is mounted to be read, is not among them: that belongs into the image.
 */
export async function foldersOf(
  service: string,
  { mounts }: Pick<ForeignContainer, "mounts">,
  request: Pick<InitRequest, "project" | "stack">,
): Promise<BoundFolder[]> {
  const found = await Promise.all(
    mounts.map(async ({ type, source, destination, writable }) =>
      type === "bind" && writable && (await isFolder(source))
        ? [{ volume: volumeOver(service, destination, request), folder: source, destination }]
        : [],
    ),
  );
  return found.flat();
}

function volumeOver(
  service: string,
  destination: string,
  request: Pick<InitRequest, "project" | "stack">,
): string {
  const place = destination.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "");
  return stackNames(request).volume(`${partOf(service)}-${place}`);
}

/** Whether this machine has such a folder. */
export async function isFolder(source: string): Promise<boolean> {
  try {
    return (await stat(source)).isDirectory();
  } catch {
    // Docker runs on another machine, or in one of its own: nothing of this one can be laid over.
    return false;
  }
}
