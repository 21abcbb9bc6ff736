// A proxy that strips a prefix, as those of many companies do. It can ask for a cookie, it can let
// no WebSocket through, and it can refuse streams and reads as the API does.
import { createServer, request } from "node:http";
import { connect } from "node:net";

export async function startProxy(target, { prefix = "", cookie, noWebSocket = false } = {}) {
  const inner = (url) => (url === prefix ? "/" : url.startsWith(`${prefix}/`) ? url.slice(prefix.length) : undefined);
  const isAllowed = (asked) => cookie === undefined || (asked.headers.cookie ?? "").includes(cookie);
  const own = { refuseStreams: undefined, refuseReads: undefined, streams: 0, sockets: new Set() };
  const isStream = (path) => /^\/api\/(ws|events)\b/.test(path ?? "");
  const proxy = createServer((asked, answer) => {
    const path = inner(asked.url);
    const isRead = asked.method === "GET" && /^\/api\//.test(path ?? "");
    const refused = isStream(path) ? own.refuseStreams : isRead ? own.refuseReads : undefined;
    if (refused !== undefined) {
      const body = JSON.stringify({ type: "about:blank", title: `Refused with ${refused}`, status: refused });
      answer.writeHead(refused, { "content-type": "application/problem+json" }).end(body);
      return;
    }
    if (path === undefined || !isAllowed(asked)) {
      answer.writeHead(path === undefined ? 404 : 401).end();
      return;
    }
    const passed = request({ port: target.port, host: "127.0.0.1", path, method: asked.method, headers: asked.headers }, (response) => {
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    });
    passed.on("error", () => answer.destroy());
    answer.on("close", () => passed.destroy());
    asked.pipe(passed);
  });
  proxy.on("upgrade", (asked, socket, head) => {
    const path = inner(asked.url);
    socket.on("error", () => socket.destroy());
    own.streams += 1;
    own.sockets.add(socket);
    socket.on("close", () => own.sockets.delete(socket));
    if (noWebSocket || own.refuseStreams !== undefined || path === undefined || !isAllowed(asked)) {
      socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    const server = connect(target.port, "127.0.0.1", () => {
      const headers = [];
      for (let at = 0; at < asked.rawHeaders.length; at += 2) headers.push(`${asked.rawHeaders[at]}: ${asked.rawHeaders[at + 1]}`);
      server.write(`GET ${path} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`);
      server.write(head);
      server.pipe(socket);
      socket.pipe(server);
    });
    server.on("error", () => socket.destroy());
    socket.on("close", () => server.destroy());
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${proxy.address().port}`;
  return Object.assign(own, {
    origin,
    address: origin + prefix,
    /** Ends every WebSocket, as a proxy does that is started again. */
    cut: () => own.sockets.forEach((socket) => socket.destroy()),
    close: () => proxy.close().closeAllConnections(),
  });
}
