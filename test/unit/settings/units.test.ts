import assert from "node:assert/strict";
import fc from "fast-check";
import {
  duration,
  formatDuration,
  instantInUtc,
  megabytes,
  parseDuration,
  percent,
} from "../../../settings/units.ts";

describe("durations", () => {
  it("are a whole number and a unit", () => {
    assert.deepEqual(
      ["30s", "100ms", "2m", "1h", "0s"].map(parseDuration),
      [30_000, 100, 120_000, 3_600_000, 0],
    );
  });

  it("without a unit, with a space, a sign, a fraction or several units are none", () => {
    for (const text of [
      "60",
      "",
      "s",
      "1 s",
      "-1s",
      "1.5s",
      "1m30s",
      "1d",
      "1S",
      " 1s",
      "1s ",
      "1e3s",
      "٣s",
      "9999999999s",
    ]) {
      assert.equal(parseDuration(text), undefined, text);
    }
  });

  it("come back from the text they are shown as", () => {
    fc.assert(fc.property(fc.nat(999_999_999), (ms) => parseDuration(formatDuration(ms)) === ms));
    assert.deepEqual([0, 100, 1500, 90_000, 7_200_000].map(formatDuration), [
      "0s",
      "100ms",
      "1500ms",
      "90s",
      "2h",
    ]);
  });

  it("are accepted within their bounds only, both included", () => {
    const schema = duration("1s", "10m");
    fc.assert(
      fc.property(
        fc.nat(2_000_000),
        (ms) => schema.safeParse(`${ms}ms`).success === (ms >= 1000 && ms <= 600_000),
      ),
    );
  });

  it("are never a number, whatever it is", () => {
    const schema = duration("0s", "24h");
    fc.assert(fc.property(fc.double(), (number) => !schema.safeParse(number).success));
    fc.assert(fc.property(fc.nat(), (number) => !schema.safeParse(String(number)).success));
  });
});

describe("sizes", () => {
  it("are read as megabytes", () => {
    assert.equal(megabytes(6).parse("256MB"), 256);
    assert.equal(megabytes(6).parse("2GB"), 2048);
  });
});

describe("percentages", () => {
  it("mean the same as a number and with a sign", () => {
    assert.equal(percent.parse(5), 5);
    assert.equal(percent.parse("5%"), 5);
    assert.equal(percent.parse("0.5%"), 0.5);
  });

  it("are between 0 and 100", () => {
    fc.assert(
      fc.property(fc.double(), (value) => percent.safeParse(value).success === (value >= 0 && value <= 100)),
    );
  });
});

describe("instants", () => {
  it("are turned into UTC, with every digit of their fraction", () => {
    assert.equal(instantInUtc("2026-11-22 10:00:00.123456+01:00"), "2026-11-22 09:00:00.123456+00");
    assert.equal(instantInUtc("2026-11-22T10:00:00Z"), "2026-11-22 10:00:00+00");
    assert.equal(instantInUtc("2026-01-01 00:30:00+0530"), "2025-12-31 19:00:00+00");
    assert.equal(instantInUtc("2026-11-22 10:00:00.5 +0000 UTC"), "2026-11-22 10:00:00.5+00");
    assert.equal(instantInUtc("2026-11-22 10:00:00 +0530 +0530"), "2026-11-22 04:30:00+00");
    assert.equal(instantInUtc("2026-01-01 00:30:00 -03"), "2026-01-01 03:30:00+00");
  });

  it("need a day, an hour and a zone that exist", () => {
    for (const text of [
      "2026-02-30 10:00:00Z",
      "2026-13-01 10:00:00Z",
      "2026-11-22 24:30:00Z",
      "2026-11-22 10:61:00Z",
      "2026-11-22 10:00:00+16:00",
      "2026-11-22 10:00:00+01:75",
      "2026-11-22 10:00:00",
    ]) {
      assert.equal(instantInUtc(text), undefined, text);
    }
  });

  it("are the same moment before and after", () => {
    const zones = fc.tuple(
      fc.constantFrom("+", "-"),
      fc.integer({ min: 0, max: 14 }),
      fc.constantFrom(0, 30, 45),
    );
    fc.assert(
      fc.property(
        fc.date({ min: new Date("1990-01-01"), max: new Date("2100-01-01"), noInvalidDate: true }),
        zones,
        (date, [sign, hours, minutes]) => {
          const zone = `${sign}${String(hours).padStart(2, "0")}:${String(minutes).padStart(2, "0")}`;
          const local = `${date.toISOString().slice(0, 23)}${zone}`;
          const utc = instantInUtc(local);
          assert.ok(utc !== undefined);
          assert.equal(Date.parse(utc.replace(" ", "T").replace(/\+00$/, "Z")), Date.parse(local));
        },
      ),
    );
  });
});
