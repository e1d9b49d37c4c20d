import { availableParallelism, release, totalmem, type } from "node:os";
import { docker } from "../operations/docker/run.ts";
import type { Toolchain } from "../toolchain/setup.ts";

/** What the figures were measured on. */
export interface Machine {
  readonly cores: number;
  /** Bytes. */
  readonly memory: number;
  readonly kernel: string;
  readonly docker: string;
  readonly node: string;
  readonly postgres: string;
  readonly pulumi: string;
}

/** Describes this machine; PostgreSQL is that of the project's own image. */
export async function describeMachine(toolchain: Toolchain): Promise<Machine> {
  const postgres = await docker(["run", "--rm", "rollback-postgres:17.1", "postgres", "--version"]);
  return {
    cores: availableParallelism(),
    memory: totalmem(),
    kernel: `${type()} ${release()}`,
    docker: toolchain.docker,
    node: process.versions.node,
    postgres: /\d+(\.\d+)+/.exec(postgres)?.[0] ?? postgres,
    pulumi: toolchain.pulumi.version,
  };
}
