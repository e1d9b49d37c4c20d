import { setTimeout as sleep } from "node:timers/promises";
import { docker } from "../docker/run.ts";
import { flagsAreRead, restartUnit, unitLog } from "../native/control.ts";
import { probe, waitHealthy } from "../traffic/probe.ts";
import { Refusal } from "../../settings/refusal.ts";
import type { Secrets, Service } from "../../settings/types.ts";

/** A running container, or unit, whose flags file may have changed. */
export interface FlagsReader {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly release: string;
  readonly service: Service;
  readonly secrets: Secrets;
  /** Whether this run has changed the file; a log line is only expected then. */
  readonly changed: boolean;
}

/** Milliseconds for an expected log line to appear. */
const logDeadline = 10_000;

/**
 * Makes a container read its flags again: by its reload endpoint, or by a restart when it has none. Returns what was done.
 * Throws a Refusal `FLAGS_NOT_CONFIRMED` when the endpoint does not answer 2xx or an expected log line does not appear.
 */
export async function tellOfFlags(router: string, reader: FlagsReader): Promise<string> {
  const { name, address, port, service, release } = reader;
  const since = new Date(Date.now() - 1000).toISOString();
  if (service.reload === undefined) {
    if (service.native !== undefined) await restartUnit(service.native, release);
    else
      await docker(["restart", "--time", String(Math.ceil(service.stopGrace / 1000)), name], {
        timeoutMs: service.stopGrace + 30_000,
      });
    await waitHealthy(
      router,
      name,
      { address, port, path: service.health },
      { deadlineMs: service.healthDeadline },
    );
  } else {
    const headers = Object.fromEntries(
      [...service.reload.headers].map(([key, value]) => [
        key,
        typeof value === "string" ? value : reader.secrets.get(value.secret),
      ]),
    );
    const answer = await probe(router, {
      address,
      port,
      method: "POST",
      path: service.reload.path,
      headers,
    });
    if (answer.status < 200 || answer.status > 299) {
      throw unconfirmed(
        reader,
        `POST ${service.reload.path} was answered with ${answer.status === 0 ? (answer.error ?? "nothing") : answer.status}`,
      );
    }
  }
  if (reader.changed) await expectLines(reader, since);
  if (reader.changed && service.native !== undefined) await flagsAreRead(service.native, release);
  return service.reload === undefined ? "was restarted to read its flags" : "has read its flags again";
}

async function expectLines(reader: FlagsReader, since: string): Promise<void> {
  const { name, service } = reader;
  const { native, expectLog: lines } = service;
  const end = performance.now() + logDeadline;
  for (;;) {
    const log =
      native === undefined
        ? await docker(["logs", "--since", since, name])
        : await unitLog(native, reader.release, new Date(since));
    const missing = lines.filter((line) => !log.includes(line));
    if (missing.length === 0) return;
    if (performance.now() > end)
      throw unconfirmed(
        reader,
        `its log has no line with ${missing.map((line) => JSON.stringify(line)).join(", ")}`,
      );
    await sleep(200);
  }
}

function unconfirmed({ name, service }: FlagsReader, why: string): Refusal {
  return new Refusal({
    code: "FLAGS_NOT_CONFIRMED",
    found: `${name} did not confirm its new flags: ${why}.`,
    untouched: "The flags file is written; traffic was not switched.",
    next: service.native === undefined ? `docker logs --tail 50 ${name}` : `journalctl -u ${name} -n 50`,
  });
}
