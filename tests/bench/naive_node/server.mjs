// The live protocol served naively: every viewer's own listener parses, picks and serialises every message.
// node server.mjs PORT REDIS_URL

import { createServer } from "node:http";
import _ from "lodash";
import { createClient } from "redis";
import { WebSocketServer } from "ws";

const [port, url] = process.argv.slice(2);
const subscriber = createClient({ url });
await subscriber.connect();

const server = createServer();
const deflate = { threshold: 128 }; // as small as the other server's; the library's own default leaves such messages as they are
new WebSocketServer({ server, perMessageDeflate: deflate }).on("connection", async (socket, request) => {
  const address = new URL(request.url, "http://localhost");
  const [, , , tenant, , , chassisId] = address.pathname.split("/");
  const channel = `live-stream/${tenant}/consumer-${chassisId}/${address.searchParams.get("msgType")}`;
  let fields = null;
  const deliver = (message) => {
    if (fields === null) return;
    const { payload, ts, seq } = JSON.parse(message);
    socket.send(JSON.stringify({ type: "LIVE_DATA", payload: _.pick(payload, fields), ts, seq }));
  };
  socket.on("message", (data) => {
    const { type, payload } = JSON.parse(data);
    if (type === "INIT_FIELD_LIST") fields = payload;
  });
  socket.on("close", () => subscriber.unsubscribe(channel, deliver));
  await subscriber.subscribe(channel, deliver);
});
server.listen(Number(port), "127.0.0.1");
