import assert from "node:assert/strict";
import { createServer } from "node:net";
import { checkPorts } from "../../../operations/preflight/ports.ts";
import { isRefusal } from "../../../settings/refusal.ts";

describe("ports that are wanted", () => {
  it("are refused by name of their key when somebody else listens there", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    const wanted = [{ address: "127.0.0.1", port: address.port, key: "rollback:cluster.port" }];
    try {
      await assert.rejects(
        checkPorts(wanted),
        (error) => isRefusal(error, "PORT_TAKEN") && error.message.includes("rollback:cluster.port"),
      );
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    await checkPorts(wanted);
  });
});
