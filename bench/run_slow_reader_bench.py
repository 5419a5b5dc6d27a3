#!/usr/bin/env python3
"""What subscribers cost that never read: user memory of the gateway alone, for each.

    python3 bench/run_slow_reader_bench.py --gateway build/release/bench/muster_gateway_alone --subscribers 50

Each subscribes to a topic of its own, so that no message is shared between two, and is sent twice what its bounds allow, in
messages of 1 KB and of 100 KB, at QoS 0 and 1. Per subscriber: growth of the gateway's anonymous memory (smaps_rollup). What the
kernel keeps in the socket comes on top; the subscribers' own receive buffers are small here.
"""
import argparse
import itertools
import socket
import time

from run_transport_bench import address_of, connect_packet, gateway_alone, memory

BYTES_EACH = 8 << 20  # over the 1 MB queued, 0.5 MB in flight, 0.5 MB of output, and what the kernel takes
SETTLE_S = 2


def packet(kind_and_flags, body):
    length, rest = b"", len(body)
    while True:
        rest, low = divmod(rest, 128)
        length += bytes([low | (0x80 if rest else 0)])
        if not rest:
            return bytes([kind_and_flags]) + length + body


def text(value):
    return len(value).to_bytes(2, "big") + value.encode()


def client(address, name, receive_bytes=None):
    link = socket.socket()
    if receive_bytes:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    link.connect(address)
    link.sendall(connect_packet(name))
    assert link.recv(4) == b"\x20\x02\x00\x00", "no CONNACK"
    return link


def subscriber(address, number, qos):
    link = client(address, f"sleepy-{number}", 4096)
    link.sendall(packet(0x82, b"\0\1" + text(f"news/{number}") + bytes([qos])))
    assert link.recv(5) == bytes([0x90, 3, 0, 1, qos]), "no SUBACK"
    return link


def publish_all(link, subscribers, qos, payload, count):
    """At QoS 1 in windows of 32, each acknowledged before the next."""
    packet_ids = itertools.cycle(range(1, 65_536))
    for number in range(subscribers):
        sent = 0
        while sent < count:
            window = min(32, count - sent)
            link.sendall(b"".join(packet(0x30 | qos << 1, text(f"news/{number}") +
                                         (next(packet_ids).to_bytes(2, "big") if qos else b"") + payload)
                                  for _ in range(window)))
            sent += window
            owed = 4 * window if qos else 0
            while owed:
                owed -= len(link.recv(owed))
    link.sendall(b"\xc0\0")
    assert link.recv(2) == b"\xd0\0", "the publisher was closed"


def measure(program, subscribers, qos, payload_bytes):
    with gateway_alone(program) as (server, urls):
        address = address_of(urls, "mqtt")
        publisher = client(address, "publisher")
        warm = [subscriber(address, number, qos) for number in range(subscribers)]
        time.sleep(SETTLE_S)
        before = memory(server.pid)
        publish_all(publisher, subscribers, qos, b"x" * payload_bytes, BYTES_EACH // payload_bytes)
        time.sleep(SETTLE_S)
        grown = memory(server.pid) - before
        for link in warm:
            link.close()
        return grown / subscribers


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--subscribers", type=int, default=50)
    options = parser.parse_args()
    print("| a subscriber that never reads | user KB |\n| --- | ---: |")
    for qos, payload_bytes in itertools.product((0, 1), (1_000, 100_000)):
        grown = measure(options.gateway, options.subscribers, qos, payload_bytes)
        print(f"| QoS {qos}, messages of {payload_bytes // 1000} KB | {grown / 1000:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
