import { connect } from "node:net";

const ANSWER_WITHIN_MS = 500;

/**
 * Answers kept in Redis for a minute. A cache is never a reason to fail: without REDIS_URL, or when Redis does not
 * answer, nothing is found and nothing is kept.
 * @param {{ url: string | undefined, log: ReturnType<import("../shared/log.mjs").createLog> }} options
 */
export function createCache({ url, log }) {
  const ask = async (...words) => {
    if (!url) return null;
    try {
      return await command(new URL(url), words);
    } catch (error) {
      log.warn("cache does not answer", { reason: error.message });
      return null;
    }
  };
  return {
    /** The value kept under `key`, or null. */
    get: async (key) => JSON.parse((await ask("GET", key)) ?? "null"),
    /** Keeps `value` under `key` for a minute. */
    set: async (key, value) => void (await ask("SET", key, JSON.stringify(value), "EX", "60")),
  };
}

/** One command over a connection of its own: rare enough here, and nothing is left behind when Redis restarts. */
function command({ hostname, port }, words) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port || 6379) });
    let received = Buffer.alloc(0);
    const settle = (how, value) => {
      socket.destroy();
      how(value);
    };
    socket.setTimeout(ANSWER_WITHIN_MS, () =>
      settle(reject, new Error(`no answer within ${ANSWER_WITHIN_MS} ms`)),
    );
    socket.on("error", (error) => settle(reject, error));
    socket.on("close", () => settle(reject, new Error("connection closed")));
    socket.on("connect", () => socket.write(encode(words)));
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      const reply = decode(received);
      if (reply instanceof Error) settle(reject, reply);
      else if (reply !== undefined) settle(resolve, reply);
    });
  });
}

/** A command as RESP array of bulk strings. */
function encode(words) {
  return [`*${words.length}`, ...words.flatMap((word) => [`$${Buffer.byteLength(word)}`, word]), ""].join(
    "\r\n",
  );
}

/** The reply's text, null for "no such key", an Error that Redis sent, undefined while it is incomplete. */
function decode(received) {
  const end = received.indexOf("\r\n");
  if (end < 0) return undefined;
  const head = received.toString("utf8", 1, end);
  switch (String.fromCharCode(received[0])) {
    case "+":
      return head;
    case "-":
      return new Error(head);
    case "$": {
      const length = Number(head);
      if (length < 0) return null;
      if (received.length < end + 2 + length + 2) return undefined;
      return received.toString("utf8", end + 2, end + 2 + length);
    }
    default:
      return new Error(`unexpected reply ${JSON.stringify(head)}`);
  }
}
