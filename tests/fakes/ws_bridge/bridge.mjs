// Serves the real SurrealDB engine of the npm package @surrealdb/node as a server does: RPC in CBOR over WebSocket.
//
//   node bridge.mjs FOLDER_OF_NODE_MODULES mem://|surrealkv://PATH PORT [USER PASSWORD]
//
// The engine (3.0.3) does not keep concurrent writers apart: on a busy machine two compare-and-sets on one revision, or
// two creations of one unique name, both succeed (21 of 206 rounds of 16 writers on surrealkv://, 1 of 293 on mem://).
// A server must, so the bridge lets one call in at a time; what a server's own transactions do is for a real server to
// show (RUCAT_TEST_SURREAL_URL).
//
// Each connection is a session of its own. With USER every call but a sign-in is refused until one has succeeded.
// Prints the port once it listens; ends when its standard input does, so that it never outlives a test.

import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { randomBytes } from "node:crypto";

const [modules, url, port, user, password] = process.argv.slice(2);
const require = createRequire(join(modules, "x.js"));
const { CborCodec } = require("surrealdb");
const { WebSocketServer } = require("ws");
const { SurrealNodeEngine } = native(join(modules, "@surrealdb", "node", "dist"));
const codec = CborCodec.DEFAULT;
const engine = await SurrealNodeEngine.connect(url, { capabilities: true });

let last = Promise.resolve();

function oneAtATime(request) {
  const response = last.then(() => engine.execute(request));
  last = response.catch(() => undefined);
  return response;
}

function native(folder) {
  const files = readdirSync(folder).filter((name) => name.includes(`.${process.platform}-${process.arch}`));
  const errors = [];
  for (const file of files) {
    try {
      return require(join(folder, file));
    } catch (error) {
      errors.push(`${file}: ${error.message}`); // glibc's or musl's: one of them loads
    }
  }
  throw new Error(`no SurrealDB engine for ${process.platform}-${process.arch}: ${errors.join("; ")}`);
}

// A request is a CBOR map of fewer than 23 pairs: one more pair at its end names the session, and the rest of the
// client's bytes reach the engine untouched.
function withSession(request, session) {
  const pair = Buffer.concat([Buffer.from([0x67]), Buffer.from("session"), Buffer.from([0xd8, 37, 0x50]), session]);
  const grown = Buffer.concat([request, pair]);
  grown[0] += 1;
  return grown;
}

// The SDK writes id and method first, both short texts: what the bridge must know of a request, without decoding the rest.
function headOf(request) {
  const texts = [];
  for (let at = 1; texts.length < 4; ) {
    const long = request[at] === 0x78;
    const size = long ? request[at + 1] : request[at] - 0x60;
    const start = at + (long ? 2 : 1);
    texts.push(request.toString("utf8", start, start + size));
    at = start + size;
  }
  const [, id, , method] = texts;
  return { id, method };
}

// The engine answers with a bare result, or with {error}; a server wraps both and names the request.
function envelope(id, response, failed) {
  const head = Buffer.from([0xa2, 0x62, ...Buffer.from("id")]);
  const error = codec.encode(codec.decode(response)?.error);
  const body = failed ? [Buffer.from([0x65, ...Buffer.from("error")]), error] : [Buffer.from([0x66, ...Buffer.from("result")]), response];
  return Buffer.concat([head, codec.encode(id), ...body]);
}

function hasFailed(response) {
  const decoded = codec.decode(response);
  return decoded !== null && typeof decoded === "object" && "error" in decoded;
}

async function answer(connection, request) {
  const { id, method } = headOf(request);
  try {
    if (user && !connection.isSignedIn && method !== "signin") throw new Error("IAM error: Not enough permissions");
    const response = await oneAtATime(withSession(request, connection.session));
    const failed = hasFailed(response);
    if (method === "signin" && !failed) connection.isSignedIn = true;
    return envelope(id, response, failed);
  } catch (error) {
    return codec.encode({ id, error: { code: -32000, message: error.message ?? String(error) } });
  }
}

async function call(method, params, session) {
  const request = Buffer.from(codec.encode({ id: "0", method, params }));
  const response = await oneAtATime(session ? withSession(request, session) : request);
  if (hasFailed(response)) throw new Error(codec.decode(response).error.message);
}

if (user) await call("query", [`DEFINE USER IF NOT EXISTS ${user} ON ROOT PASSWORD '${password}' ROLES OWNER`]);
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port), maxPayload: 1 << 30, perMessageDeflate: false });
server.on("connection", (socket) => {
  const connection = { session: randomBytes(16), isSignedIn: false };
  connection.session[6] = (connection.session[6] & 0x0f) | 0x40;
  connection.session[8] = (connection.session[8] & 0x3f) | 0x80;
  const ready = call("attach", [], connection.session);
  socket.on("message", async (data) => {
    await ready;
    socket.send(await answer(connection, data));
  });
  socket.on("close", () => ready.then(() => call("detach", [], connection.session)));
});
server.on("listening", () => console.log(server.address().port));
process.stdin.resume().on("end", () => process.exit(0));
