import assert from "node:assert/strict";
import { parseInfo } from "../../../operations/archive/info.ts";
import { isRefusal } from "../../../settings/refusal.ts";

const backup = (label: string, error: boolean): object => ({
  ...{
    label,
    type: "full",
    error,
    archive: { start: "000000010000000000000003", stop: "000000010000000000000004" },
  },
  ...{ lsn: { start: "0/3000028", stop: "0/4000050" }, timestamp: { start: 1, stop: 2 } },
  info: { size: 10, repository: { delta: 5 } },
});
const printed = (more: object): string =>
  JSON.stringify([{ name: "main", status: { code: 0, message: "ok" }, ...more }]);

describe("what pgBackRest says of an archive", () => {
  it("tells backups of damaged pages from good ones", () => {
    const info = parseInfo(
      printed({ backup: [backup("20261128-100000F", false), backup("20261129-100000F", true)] }),
    );
    assert.deepEqual(
      info.backups.map(({ label }) => label),
      ["20261128-100000F"],
    );
    assert.deepEqual(info.damaged, ["20261129-100000F"]);
  });

  it("is none where there is none yet", () => {
    assert.equal(parseInfo(printed({ status: { code: 1, message: "missing stanza path" } })).exists, false);
    assert.equal(parseInfo("[]").exists, false);
  });

  it("is refused where it could not be read, though pgBackRest exits with 0, with what to compare", () => {
    const of = (message: string): string => {
      const status = { code: 99, message };
      try {
        parseInfo(printed({ status: { code: 99, message: "other" }, repo: [{ status }] }));
      } catch (error) {
        assert.ok(isRefusal(error, "ARCHIVE_FAILED"));
        return error.message;
      }
      return assert.fail("it was taken for an archive");
    };
    const locked = of("[PathOpenError] unable to list file info for path '/x': [13] Permission denied");
    assert.match(locked, /Permission denied\.[^]*who may read it/);
    assert.match(
      of("[CryptoError] unable to load\nCryptoError: cipher header invalid"),
      /backup\.encryption/,
    );
  });
});
