import { Refusal } from "../settings/refusal.ts";
import { attempt, lastLines } from "./command.ts";
import { longStep, say, type Note } from "./log.ts";
import { canInstallPackages, compareVersions, installPackages, packageCandidate } from "./machine.ts";

/** The least Go that compiles the pinned modules; toolchain/go/cli/go.mod says so. */
export const GO_MINIMUM = "1.25.11";
/** The Go that an older one is told to fetch, as a module, and to run instead of itself. */
const GO_FETCHED = "go1.25.12";
/** Since this version Go can fetch another Go. */
const GO_FETCHES_SINCE = "1.21";

/** What to do about Go, from the version that is there and the one apt would install. */
export type GoStep = "use" | "use-to-fetch" | "install" | "refuse";

/** Decides how to come to a Go that compiles the pinned modules. `candidate` is asked for only when there is none. */
export function decideGo(version: string | undefined, candidate: string | undefined): GoStep {
  if (version !== undefined && compareVersions(version, GO_MINIMUM) >= 0) return "use";
  if (version !== undefined && compareVersions(version, GO_FETCHES_SINCE) >= 0) return "use-to-fetch";
  const offered = candidate?.replace(/^\d+:/, "");
  if (offered !== undefined && compareVersions(offered, GO_FETCHES_SINCE) >= 0) return "install";
  return "refuse";
}

let environment: Promise<Record<string, string>> | undefined;

/** The environment in which `go` is to be run; finds or installs Go on the first call, and refuses with `GO_MISSING`. */
export function ensureGo(): Promise<Record<string, string>> {
  environment ??= findGo();
  return environment;
}

async function findGo(): Promise<Record<string, string>> {
  const version = await goVersion();
  const needed = version === undefined || compareVersions(version, GO_FETCHES_SINCE) < 0;
  const installable = needed && (await canInstallPackages());
  const step = decideGo(version, installable ? await packageCandidate("golang-go") : undefined);
  switch (step) {
    case "use":
      say("go", `${version ?? ""}, on the PATH`);
      return compiler("local");
    case "use-to-fetch":
      say("go", `${version ?? ""}, on the PATH, is older than ${GO_MINIMUM}; it fetches ${GO_FETCHED}`);
      return compiler(GO_FETCHED);
    case "install":
      await installPackages(["golang-go", "ca-certificates"]);
      return compiler(GO_FETCHED);
    case "refuse":
      throw new Refusal({
        code: "GO_MISSING",
        found: `the Pulumi engine and its Docker plugin can neither be found nor downloaded here, and to build them Go ${GO_MINIMUM} or later is needed; ${version === undefined ? "there is no Go on the PATH" : `on the PATH is Go ${version}`}.`,
        untouched: "Nothing was built.",
        next: "Install Go (https://go.dev/dl/), or put the official `pulumi` on the PATH, then run this again.",
      });
  }
}

async function goVersion(): Promise<string | undefined> {
  // GOTOOLCHAIN=local: asking must not fetch anything.
  const { ok, stdout } = await attempt("go", ["env", "GOVERSION"], { env: { GOTOOLCHAIN: "local" } });
  return ok ? stdout.trim().replace(/^go/, "") : undefined;
}

/** A build that depends on nothing but the pinned modules: no C compiler, no workspace, no flags of the user's. */
function compiler(toolchain: string): Record<string, string> {
  return {
    GOTOOLCHAIN: toolchain,
    GOFLAGS: "-mod=readonly -buildvcs=false -trimpath",
    GOWORK: "off",
    CGO_ENABLED: "0",
  };
}

/** A program to build from pinned modules. */
export interface GoProgram {
  /** What the log calls it. */
  readonly title: string;
  /** Folder of the go.mod. */
  readonly folder: string;
  /** Package to build. */
  readonly target: string;
  /** `-X` assignments that tell the program its version. */
  readonly version: string;
  readonly tags?: string;
}

/** Builds a program to `output`, showing how many packages are done. */
export async function goBuild(subject: string, program: GoProgram, output: string): Promise<void> {
  const env = await ensureGo();
  const built = await longStep(subject, program.title, (note) =>
    attempt("go", buildArguments(program, output), { cwd: program.folder, env, note: counting(note) }),
  );
  if (built.ok) return;
  throw new Refusal({
    code: "BUILD_FAILED",
    found: `${program.title} failed:\n${lastLines(built.tail, 12)}`,
    untouched: "Nothing was kept of it.",
    next: "If modules could not be fetched, see that Go's module proxy (`go env GOPROXY`) is in reach, or put the official `pulumi` on the PATH; then run this again.",
  });
}

/** The arguments of `go build` for a program. */
export function buildArguments(program: GoProgram, output: string): string[] {
  return [
    "build",
    "-v",
    ...(program.tags === undefined ? [] : ["-tags", program.tags]),
    "-ldflags",
    `-s -w -X ${program.version}`,
    "-o",
    output,
    program.target,
  ];
}

/** `go build -v` prints a line for each package; the number says more than the names. */
function counting(note: Note): Note {
  let packages = 0;
  let downloads = 0;
  return (line) => {
    if (line.startsWith("go: downloading")) downloads++;
    else packages++;
    note(`${String(downloads)} modules fetched, ${String(packages)} packages compiled`);
  };
}
