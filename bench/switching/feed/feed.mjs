// What keeps a connection open: an event stream that tells its release ten times a second, and a websocket that answers
// each message with its release. A websocket as far as the bench needs it: text of less than 126 bytes, close.
import { createHash } from "node:crypto";
import { createServer } from "node:http";

const release = process.env.RELEASE ?? "none";
const open = new Set();

const server = createServer((request, response) => {
  if (request.url !== "/events") {
    response.writeHead(request.url === "/health" ? 200 : 404, { "x-release": release }).end();
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream", "x-release": release });
  const timer = setInterval(() => response.write(`data: ${release}\n\n`), 100);
  const end = () => response.end();
  open.add(end);
  response.on("close", () => {
    clearInterval(timer);
    open.delete(end);
  });
});

server.on("upgrade", (request, socket) => {
  const accept = createHash("sha1")
    .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nx-release: ${release}\r\n\r\n`,
  );
  const send = (opcode, data) =>
    socket.write(Buffer.concat([Buffer.from([0x80 | opcode, data.length]), data]));
  const goodbye = () => {
    // 1001: going away.
    send(8, Buffer.from([0x03, 0xe9]));
    socket.end();
  };
  open.add(goodbye);
  let received = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 6) {
      const length = received[1] & 0x7f;
      if (received.length < 6 + length) return;
      const opcode = received[0] & 0x0f;
      const mask = received.subarray(2, 6);
      const text = received.subarray(6, 6 + length).map((byte, n) => byte ^ mask[n % 4]);
      received = received.subarray(6 + length);
      if (opcode === 1) send(1, Buffer.from(`${release} ${text}`));
      if (opcode === 8) socket.end(Buffer.from([0x88, 0]));
    }
  });
  socket.on("close", () => open.delete(goodbye));
  socket.on("error", () => socket.destroy());
});

server.listen(Number(process.env.PORT ?? 8080));
process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  for (const end of open) end();
});
