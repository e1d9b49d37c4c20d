import assert from "node:assert/strict";
import { curlConfig, parseProbe } from "../../../operations/traffic/probe.ts";

describe("curlConfig", () => {
  const target = { address: "10.0.0.5", port: 8080, path: "/health" };

  it("is a GET without a body and a POST with one, unless told", () => {
    assert.match(curlConfig(target), /^request = "GET"$/m);
    assert.match(curlConfig({ ...target, body: "" }), /^request = "POST"$/m);
    assert.match(curlConfig({ ...target, method: "PUT", body: "x" }), /^request = "PUT"$/m);
    assert.match(curlConfig({ ...target, method: "HEAD" }), /^head$/m);
  });

  it("keeps every text inside its quotes", () => {
    const config = curlConfig({
      ...target,
      headers: { authorization: 'a"\\b' },
      body: '"\n-o /etc/passwd\r\n\\',
    });
    assert.match(config, /^header = "authorization: a\\"\\\\b"$/m);
    assert.match(config, /^data-raw = "\\"\\n-o \/etc\/passwd\\r\\n\\\\"$/m);
    assert.ok(config.split("\n").every((line) => /^([a-z-]+ = ".*"|globoff|head|)$/.test(line)));
  });

  it("takes no line break where it would start a header", () => {
    assert.throws(() => curlConfig({ ...target, headers: { a: "b\r\nc: d" } }), TypeError);
    assert.throws(() => curlConfig({ ...target, path: "/ HTTP/1.1\r\nx: y" }), TypeError);
  });

  it("writes IPv6 addresses and paths without a slash as URLs want them", () => {
    assert.match(
      curlConfig({ ...target, address: "fd00::1", path: "health" }),
      /^url = "http:\/\/\[fd00::1\]:8080\/health"$/m,
    );
  });
});

describe("parseProbe", () => {
  it("finds the report behind a body that looks like one", () => {
    const report =
      '{"status":201,"seconds":0.0123,"headers":{"Content-Type":["text/plain"],"X-A":["1","2"]}}';
    const body = `first\nmark{"status":500}\n`;
    assert.deepEqual(parseProbe(`${body}\nmark${report}`, "mark"), {
      status: 201,
      headers: { "content-type": "text/plain", "x-a": "1, 2" },
      body,
      ms: 12,
      error: undefined,
    });
  });
});
