import { execa, ExecaError } from "execa";
import { giveTryBack, takeTry } from "../operations/monitor/once.ts";
import { access, applicationName } from "../operations/plan/access.ts";
import { writeLive } from "../operations/stack-file/live.ts";
import type { ConfiguredStack } from "./stack.ts";

/** How a way back ended. */
export type WayBack =
  | { readonly kind: "gone" }
  /** The stack was locked, or another monitor was quicker: nothing was done, a later look may try. */
  | { readonly kind: "not now" }
  /** The stack file could not be changed: nothing was done. */
  | { readonly kind: "file unchanged" }
  /** `pulumi up` failed; the stack file names the release that it was to go back to. */
  | { readonly kind: "failed" };

export interface WayBackRequest {
  readonly stack: ConfiguredStack;
  /** The run that it is gone for; each has one try. */
  readonly run: string;
  readonly from: ReadonlyMap<string, number>;
  readonly to: ReadonlyMap<string, number>;
  /** Whether the stack file is not the default one. */
  readonly otherFile: boolean;
  readonly say: (line: string) => void;
}

/** Writes the weights to go back to into the stack file and runs `pulumi up`, if this run's try is still to be had. */
export async function goBack(request: WayBackRequest): Promise<WayBack> {
  const { settings, file } = request.stack;
  const [first] = settings.databases.keys();
  const server = access(settings);
  const session = { applicationName: applicationName(settings) };
  if (first === undefined || !(await takeTry(server, first, request.run, session)))
    return { kind: "not now" };
  if (!(await writeLive(file, request.from, request.to))) {
    await giveTryBack(server, first, request.run, session);
    return { kind: "file unchanged" };
  }
  request.say(`${[...request.to.keys()].join(", ")} is live in ${file}: pulumi up …`);
  const ended = await up(request);
  if (ended === "locked") {
    await writeLive(file, request.to, request.from);
    await giveTryBack(server, first, request.run, session);
    return { kind: "not now" };
  }
  return { kind: ended };
}

async function up({ stack, otherFile }: WayBackRequest): Promise<"gone" | "failed" | "locked"> {
  const { settings, file, folder } = stack;
  const given = otherFile ? ["--config-file", file] : [];
  const args = ["up", "--yes", "--skip-preview", "--non-interactive", "--stack", settings.stack, ...given];
  try {
    await execa("pulumi", args, {
      cwd: folder,
      stdin: "ignore",
      stdout: ["inherit", "pipe"],
      stderr: ["inherit", "pipe"],
      // A monitor that is told to stop waits for it: cut off, it would have to be finished by hand.
      cleanup: false,
      detached: true,
    });
    return "gone";
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    const said = String(error.stderr) + String(error.stdout);
    return /currently locked|update is already in progress/i.test(said) ? "locked" : "failed";
  }
}
