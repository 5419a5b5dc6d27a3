#!/usr/bin/env python3
"""Telemetry of devices that are on, while a storm of others shakes hands over TLS: the gateway alone.

    python3 bench/run_storm_bench.py --gateway build/release/bench/muster_gateway_alone --storm 20000 --served 200

The served devices publish at QoS 1 over TLS, one message a second each; the figure is the time from publish to PUBACK.
First without a storm, then while all the others, each with a full handshake of its own, connect at once and until the
last of them has its CONNACK. At most 10,000 of them live in one process. Who is refused or closed comes back after a
second, as a device would.
"""
import argparse
import collections
import heapq
import multiprocessing
import random
import resource
import selectors
import socket
import ssl
import tempfile
import time

from run_transport_bench import (address_of, client_context, connect_packet, cpu_s, gateway_alone, make_certificates,
                                 one_client)

PROCESS_CONNECTIONS_MAX = 10_000
OPEN_AT_ONCE = 20  # a turn: who has an answer of the gateway goes on before others begin, as if each had a CPU of its own
COME_BACK_S = 1.0


class Device:
    """One device of the storm; its TLS handshake and CONNECT, as far as its socket lets it."""

    def __init__(self, number):
        self.number = number
        self.link = None
        self.sent = False

    def open(self, address, context, selector):
        raw = socket.socket()
        raw.setblocking(False)
        raw.connect_ex(address)
        self.link = context.wrap_socket(raw, server_hostname="127.0.0.1", do_handshake_on_connect=False)
        self.sent = False
        selector.register(self.link, selectors.EVENT_WRITE, self)

    def close(self, selector):
        selector.unregister(self.link)
        self.link.close()
        self.link = None

    def step(self, selector):
        """True: it has its CONNACK."""
        try:
            if not self.sent:
                self.link.do_handshake()
                self.link.send(connect_packet(f"storm-{self.number}"))
                self.sent = True
            return self.link.recv(16) == b"\x20\x02\x00\x00"
        except ssl.SSLWantReadError:
            selector.modify(self.link, selectors.EVENT_READ, self)
        except ssl.SSLWantWriteError:
            selector.modify(self.link, selectors.EVENT_WRITE, self)
        return False


def storm(address, folder, numbers, begin, report):
    """One process of the storm: (seconds until the last was on, how often one had to come back)."""
    context = client_context(folder, "1.3")
    selector = selectors.DefaultSelector()
    to_open = collections.deque(Device(number) for number in numbers)
    later = []
    on = returns = 0
    begin.wait()
    began = time.monotonic()
    while on < len(numbers):
        now = time.monotonic()
        while later and later[0][0] <= now:
            to_open.append(heapq.heappop(later)[2])
        for _ in range(min(OPEN_AT_ONCE, len(to_open))):
            to_open.popleft().open(address, context, selector)
        for key, _ in selector.select(0 if to_open else 0.1):
            device = key.data
            try:
                if device.step(selector):
                    selector.unregister(device.link)
                    on += 1
            except OSError:
                returns += 1
                device.close(selector)
                heapq.heappush(later, (now + COME_BACK_S * random.uniform(0.5, 1.5), device.number, device))
    report.put((time.monotonic() - began, returns))
    begin.wait()  # all stay until the end


def publish_packet(topic, packet_id):
    body = len(topic).to_bytes(2, "big") + topic.encode() + packet_id.to_bytes(2, "big") + b'{"temperature":21.5,"battery":87}'
    return bytes([0x32, len(body)]) + body


def served(address, folder, count, pipe):
    """Devices that are on: sends the seconds of each PUBACK of the last phase whenever it is asked to begin another."""
    context = client_context(folder, "1.3")
    links = [one_client(address, "mqtts 1.3", context, connect_packet(f"served-{i}")) for i in range(count)]
    selector = selectors.DefaultSelector()
    for number, link in enumerate(links):
        link.setblocking(False)
        selector.register(link, selectors.EVENT_READ, number)
    pipe.send("ready")
    waiting = {}  # (device, packet id) -> sent at
    took = []
    next_send = time.monotonic()
    turn = 0
    while True:
        now = time.monotonic()
        if now >= next_send:
            number = turn % count
            packet_id = turn // count % 65_535 + 1
            links[number].send(publish_packet(f"telemetry/served-{number}", packet_id))
            waiting[number, packet_id] = next_send  # when it was due: our own delay counts against the gateway
            turn += 1
            next_send += 1 / count
            continue
        for key, _ in selector.select(max(0, next_send - now)):
            try:
                answer = key.fileobj.recv(4096)
            except ssl.SSLWantReadError:
                continue
            if not answer:
                pipe.send("closed")
                return
            now = time.monotonic()
            for at in range(0, len(answer), 4):
                took.append(now - waiting.pop((key.data, int.from_bytes(answer[at + 2:at + 4], "big"))))
        if pipe.poll():
            if pipe.recv() == "end":
                return
            # Those that are owed an answer by now count with what they have waited.
            pipe.send(took + [time.monotonic() - sent for sent in waiting.values()])
            took = []


def quantile(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def row(name, took):
    took = sorted(took)
    print(f"| {name} | {len(took):,} | {quantile(took, 0.5) * 1e3:.1f} | {quantile(took, 0.99) * 1e3:.1f} | "
          f"{quantile(took, 0.999) * 1e3:.1f} | {took[-1] * 1e3:.1f} |", flush=True)


def phase(pipe, seconds):
    pipe.send("begin")
    pipe.recv()
    time.sleep(seconds)


def storm_phases(options, folder, server, address, children):
    """Without the storm, then with it; what it starts it adds to `children`."""
    pipe, far_pipe = multiprocessing.Pipe()
    processes = -(-options.storm // PROCESS_CONNECTIONS_MAX)
    begin = multiprocessing.Barrier(processes + 1)
    report = multiprocessing.Queue()
    children += [multiprocessing.Process(target=served, args=(address, folder, options.served, far_pipe))]
    children += [multiprocessing.Process(target=storm, args=(
        address, folder, range(i, options.storm, processes), begin, report)) for i in range(processes)]
    for child in children:
        child.start()
    assert pipe.recv() == "ready"
    print("| 1 message a second of each served device | PUBACKs | p50 ms | p99 ms | p99.9 ms | longest ms |\n"
          "| --- | ---: | ---: | ---: | ---: | ---: |")
    phase(pipe, options.calm_s)
    pipe.send("begin")
    row("no storm", pipe.recv())
    cpu = cpu_s(server.pid)
    begin.wait()
    reports = [report.get() for _ in range(processes)]
    pipe.send("begin")
    took = pipe.recv()
    assert took != "closed", "a served device was closed"
    row(f"storm of {options.storm:,} handshakes", took)
    took_s = max(seconds for seconds, _ in reports)
    print(f"\nThe last of the storm was on after {took_s:.1f} s ({options.storm / took_s:,.0f} a second); "
          f"{sum(returns for _, returns in reports):,} had to come back. "
          f"Gateway: {(cpu_s(server.pid) - cpu) / options.storm * 1e6:,.0f} us of CPU for each.")
    pipe.send("end")
    begin.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--storm", type=int, default=20_000)
    parser.add_argument("--served", type=int, default=200)
    parser.add_argument("--calm-s", type=float, default=10)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder:
        make_certificates(folder)
        files = f"cert={folder}/localhost.pem&key={folder}/localhost.key&client-ca={folder}/ca.pem&identity=none"
        children = []
        with gateway_alone(options.gateway, f"mqtts://127.0.0.1:0?{files}") as (server, urls):
            try:
                storm_phases(options, folder, server, address_of(urls, "mqtts"), children)
            finally:
                for child in children:
                    child.kill()


if __name__ == "__main__":
    main()
