// Connects by MQTT.js, tells itself something over the broker with QoS 1, reports telemetry, and says good-bye:
//   node client.mjs URL DEVICE_ID VERSION [CA [CERTIFICATE KEY]]
// Prints "done" and ends with 0 when all came back, or says why not.
import fs from "node:fs";
import mqtt from "mqtt";

const [url, id, version, ca, certificate, key] = process.argv.slice(2);
const file = (name) => (name ? fs.readFileSync(name) : undefined);
const client = await mqtt.connectAsync(url, {
  clientId: id,
  protocolVersion: Number(version),
  reconnectPeriod: 0,
  connectTimeout: 20_000,
  ca: file(ca),
  cert: file(certificate),
  key: file(key),
}, false);
const payload = "x".repeat(40_000);
const returned = new Promise((resolve) => client.on("message", (topic, message) => resolve(message.toString())));
await client.subscribeAsync(`room/${id}`, { qos: 1 });
await client.publishAsync(`room/${id}`, payload, { qos: 1 });
if ((await returned) !== payload) {
  throw new Error("another payload came back");
}
await client.publishAsync(`telemetry/${id}`, JSON.stringify({ battery: 64 }), { qos: 1 });
await client.endAsync();
console.log("done");
