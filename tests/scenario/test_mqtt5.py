"""MQTT 5.0 against the running product, with clients that are not ours: paho for Python, mosquitto_pub, _sub and _rr."""
import queue
import subprocess

import harness
import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCodes
from paho.mqtt.subscribeoptions import SubscribeOptions


def properties(packet_type, **values):
    made = Properties(packet_type)
    for name, value in values.items():
        setattr(made, name, value)
    return made


class Client:
    """A paho client that writes down what it is told; ended by the scenario."""

    def __init__(self, scenario, server, client_id, clean=True, will=None, **connect):
        self.told = {name: queue.Queue() for name in ("connack", "message", "suback", "unsuback", "disconnect", "puback")}
        self.paho = paho.Client(client_id, protocol=paho.MQTTv5)
        self.paho.on_connect = lambda c, u, flags, reason, props: self.told["connack"].put((flags, reason, props))
        self.paho.on_message = lambda c, u, message: self.told["message"].put(message)
        self.paho.on_subscribe = lambda c, u, mid, reasons, props: self.told["suback"].put((reasons, props))
        self.paho.on_unsubscribe = lambda c, u, mid, props, reasons: self.told["unsuback"].put(reasons)
        self.paho.on_disconnect = lambda c, u, reason, props=None: self.told["disconnect"].put((reason, props))
        self.paho.on_publish = lambda c, u, mid: self.told["puback"].put(mid)
        if will:
            self.paho.will_set(**will)
        self.paho.connect("127.0.0.1", server.mqtt_port, clean_start=clean,
                          properties=properties(PacketTypes.CONNECT, **connect) if connect else None)
        self.paho.loop_start()
        scenario.addCleanup(self.end)
        self.flags, self.reason, self.properties = self.next("connack")

    def next(self, kind):
        return self.told[kind].get(timeout=harness.PATIENCE_S)

    def subscribe(self, topic, qos=0, **options):
        self.paho.subscribe(topic, options=SubscribeOptions(qos=qos, **options))
        return self.next("suback")

    def publish(self, topic, payload, qos=1, retain=False, **values):
        sent = self.paho.publish(topic, payload, qos, retain,
                                 properties(PacketTypes.PUBLISH, **values) if values else None)
        sent.wait_for_publish(harness.PATIENCE_S)

    def vanish(self):
        """As when its power is cut."""
        self.paho.loop_stop()
        self.paho.socket().close()

    def disconnect(self, reason=0, **values):
        self.paho.disconnect(ReasonCodes(PacketTypes.DISCONNECT, identifier=reason),
                             properties(PacketTypes.DISCONNECT, **values) if values else None)
        self.paho.loop_stop()

    def end(self):
        self.paho.loop_stop()
        sock = self.paho.socket()
        if sock:
            sock.close()


class Mqtt5(harness.Scenario):
    def test_a_device_of_5_0_is_online_and_its_telemetry_arrives(self):
        server = self.serve()
        device = Client(self, server, "p5", SessionExpiryInterval=60)
        self.assertEqual(0, device.reason.value)
        self.assertEqual(64, device.properties.ReceiveMaximum)
        self.assertEqual(16, device.properties.TopicAliasMaximum)
        device.publish("telemetry/p5", '{"battery":71}')
        self.assertEqual("5.0", server.wait_for("p5", state="online", metrics={"battery": 71})["client"]["protocol"])
        device.disconnect()
        server.wait_for("p5", state="offline", cause="client_disconnect")

    def test_request_and_response_with_their_properties(self):
        server = self.serve()
        answerer = Client(self, server, "answerer")
        answerer.subscribe("requests/+", qos=1)
        asker = Client(self, server, "asker")
        asker.subscribe("answers/asker", qos=1)
        asker.publish("requests/time", "?", ResponseTopic="answers/asker", CorrelationData=b"c-1", ContentType="text/plain",
                      UserProperty=[("b", "1"), ("a", "2"), ("b", "3")])
        request = answerer.next("message")
        self.assertEqual("answers/asker", request.properties.ResponseTopic)
        self.assertEqual("text/plain", request.properties.ContentType)
        self.assertEqual([("b", "1"), ("a", "2"), ("b", "3")], request.properties.UserProperty)
        answerer.publish(request.properties.ResponseTopic, "noon", CorrelationData=request.properties.CorrelationData)
        answer = asker.next("message")
        self.assertEqual((b"noon", b"c-1"), (answer.payload, answer.properties.CorrelationData))

    def test_mosquitto_asks_and_is_answered(self):
        server = self.serve()
        answerer = Client(self, server, "answerer")
        answerer.subscribe("requests/echo", qos=1)
        asking = self.client(server, "mosquitto_rr", "-V", "5", "-i", "rr", "-t", "requests/echo", "-e", "answers/rr",
                             "-m", "hello", "-W", "30")
        request = answerer.next("message")
        answerer.publish(request.properties.ResponseTopic, request.payload.upper())
        self.assertEqual(0, asking.wait(timeout=harness.PATIENCE_S))
        self.assertIn("HELLO", self.output_of(asking))

    def test_mosquitto_subscribes_and_publishes_with_properties(self):
        server = self.serve()
        listening = self.client(server, "mosquitto_sub", "-V", "5", "-i", "sub", "-t", "news/#", "-q", "1", "-C", "1",
                                "-F", "%t %p %C %P", "-W", "30")
        # Retained: it arrives whichever of the two is first.
        subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(server.mqtt_port), "-V", "5", "-i", "pub", "-r", "-t", "news/a",
                        "-m", "payload", "-q", "2", "-D", "publish", "content-type", "text/plain",
                        "-D", "publish", "user-property", "k", "v"], check=True, timeout=harness.PATIENCE_S)
        self.assertEqual(0, listening.wait(timeout=harness.PATIENCE_S))
        self.assertIn("news/a payload text/plain k:v", self.output_of(listening))

    def test_a_session_is_kept_as_long_as_it_asks(self):
        server = self.serve()
        device = Client(self, server, "p5", SessionExpiryInterval=60)
        device.subscribe("news/#", qos=1)
        device.vanish()
        server.wait_for("p5", state="offline")
        other = Client(self, server, "other")
        other.publish("news/a", "kept", MessageExpiryInterval=300)
        device = Client(self, server, "p5", clean=False, SessionExpiryInterval=60)
        self.assertEqual(1, device.flags["session present"])
        message = device.next("message")
        self.assertEqual(b"kept", message.payload)
        self.assertLessEqual(message.properties.MessageExpiryInterval, 300)
        device.disconnect(SessionExpiryInterval=0)
        server.wait_for("p5", state="offline")
        device = Client(self, server, "p5", clean=False)
        self.assertEqual(0, device.flags["session present"])

    def test_a_delayed_will_is_spared_a_device_that_is_back_in_time(self):
        server = self.serve()
        will = {"topic": "news/will", "payload": "gone", "qos": 1,
                "properties": properties(PacketTypes.WILLMESSAGE, WillDelayInterval=2)}
        listener = Client(self, server, "listener")
        listener.subscribe("news/#", qos=1)
        first = Client(self, server, "p5", will=will, SessionExpiryInterval=60)
        first.vanish()
        server.wait_for("p5", state="offline")
        second = Client(self, server, "p5", clean=False, will=will, SessionExpiryInterval=60)
        second.vanish()
        self.assertEqual(b"gone", listener.next("message").payload)
        self.assertTrue(listener.told["message"].empty(), "the first one's will was published too")

    def test_shared_subscriptions_share(self):
        server = self.serve()
        workers = [Client(self, server, f"worker{i}") for i in range(3)]
        for worker in workers:
            self.assertEqual([1], [reason.value for reason in worker.subscribe("$share/crew/jobs/#", qos=1)[0]])
        publisher = Client(self, server, "publisher")
        for i in range(30):
            publisher.publish("jobs/x", str(i))
        harness.wait_until(lambda: sum(w.told["message"].qsize() for w in workers) == 30, "all jobs")
        self.assertEqual([10, 10, 10], [worker.told["message"].qsize() for worker in workers])

    def test_reasons_are_told(self):
        server = self.serve()
        device = Client(self, server, "p5")
        reasons, props = device.subscribe("telemetry/+", qos=1)
        self.assertEqual([0x87], [reason.value for reason in reasons])
        self.assertIn("not the client's own", props.ReasonString)
        taker = Client(self, server, "p5")
        self.assertEqual(0, taker.reason.value)
        # paho 1.6 reads no reason that comes without properties; gateway_mqtt5_test.cpp holds it to 0x8E.
        self.assertNotEqual(0, device.next("disconnect")[0])

    def test_no_local_and_retained_options(self):
        server = self.serve()
        device = Client(self, server, "p5")
        device.subscribe("news/#", qos=1, noLocal=True, retainAsPublished=True)
        other = Client(self, server, "other")
        device.publish("news/own", "own")
        other.publish("news/other", "kept", retain=True)
        message = device.next("message")
        self.assertEqual(("news/other", True), (message.topic, message.retain))
        late = Client(self, server, "late")
        late.subscribe("news/other", retainHandling=2)
        late.subscribe("news/+", retainHandling=1)
        self.assertEqual(b"kept", late.next("message").payload)
        self.assertTrue(late.told["message"].empty())


if __name__ == "__main__":
    harness.main()
