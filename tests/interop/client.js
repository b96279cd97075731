// SPDX-License-Identifier: Apache-2.0
// A client on another stack: gRPC and Protobuf in plain JavaScript, nothing of the C++ and Python libraries.
//
//   node client.js ADDRESS health SERVICE | watch | info | ground FILE [OPTIONS] | cancel FILE [OPTIONS] |
//                          stream FILE [OPTIONS]
//
// OPTIONS is JSON: {"timeout_ms": 60000, "cancel_after_ms": 100, "options": {GroundOptions}}. Prints a line of JSON for each
// answer: the message, or {"code", "message", "details"}. The stream sends the file twice, and bytes that are no image
// between the two.
"use strict";
const fs = require("fs");
const path = require("path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const protobuf = require("protobufjs");

const PROTO = path.join(__dirname, "..", "..", "proto");
const DEFAULTS = { timeout_ms: 60000, cancel_after_ms: 100, options: {} };

function load(file) {
  const options = { includeDirs: [PROTO], keepCase: true, defaults: true, enums: String, longs: Number };
  return grpc.loadPackageDefinition(loader.loadSync(file, options));
}

function print(message) {
  process.stdout.write(JSON.stringify(message) + "\n");
}

// Those of google.rpc.Status in the trailer, decoded.
function details(metadata) {
  const root = new protobuf.Root();
  root.resolvePath = (_, target) => path.join(PROTO, target);
  root.loadSync(["google/rpc/status.proto", "google/rpc/error_details.proto"]);
  return metadata.get("grpc-status-details-bin").flatMap((bytes) =>
    root.lookupType("google.rpc.Status").decode(bytes).details.map((any) => {
      const name = any.type_url.split("/").pop();
      const type = root.lookupType(name);
      return { type: name, ...type.toObject(type.decode(any.value), { longs: Number }) };
    }));
}

function printError(error) {
  print({ code: grpc.status[error.code], message: error.details, details: details(error.metadata) });
}

const credentials = grpc.credentials.createInsecure();
const settings = { "grpc.enable_http_proxy": 0, "grpc.max_receive_message_length": -1 };
const [address, command, argument, json] = process.argv.slice(2);
const { timeout_ms, cancel_after_ms, options } = { ...DEFAULTS, ...JSON.parse(json || "{}") };
const health = new (load("grpc/health/v1/health.proto").grpc.health.v1.Health)(address, credentials, settings);
const service = new (load("objectdino/v1/grounding_service.proto").objectdino.v1.GroundingService)(
  address, credentials, settings);

const deadline = () => ({ deadline: Date.now() + timeout_ms });
const request = () => ({ image: { encoded: fs.readFileSync(argument) }, options, request_id: "node" });

const done = (error, response) => {
  if (error) printError(error);
  else print(response);
  client.close();
};

const printAll = (stream) => {
  stream.on("data", print);
  stream.on("error", printError);
  stream.on("close", () => client.close());
};

const commands = {
  health: () => health.Check({ service: argument }, deadline(), done),
  watch: () => printAll(health.Watch({}, deadline())),
  info: () => service.GetModelInfo({}, deadline(), done),
  ground: () => service.Ground(request(), deadline(), done),
  cancel: () => {
    const call = service.Ground(request(), deadline(), done);
    setTimeout(() => call.cancel(), cancel_after_ms);
  },
  stream: () => {
    const stream = service.StreamGround(deadline());
    printAll(stream);
    const bad = { ...request(), image: { encoded: Buffer.from("no image") } };
    [request(), bad, request()].forEach((item, i) => stream.write({ request: { ...item, request_id: `${i}` } }));
    stream.end();
  },
};

// Connected first, so that short deadlines are those of the call.
const client = command === "health" || command === "watch" ? health : service;
client.waitForReady(Date.now() + DEFAULTS.timeout_ms, (error) => {
  if (error) throw error;
  commands[command]();
});
