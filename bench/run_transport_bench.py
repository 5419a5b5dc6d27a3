#!/usr/bin/env python3
"""User memory and CPU of idle connections over each transport: the gateway alone, certificates from openssl.

    python3 bench/run_transport_bench.py --gateway build/release/bench/muster_gateway_alone --connections 2000 --rounds 3

Per connection: growth of the gateway's anonymous memory (smaps_rollup), and its CPU time for accept, handshake, CONNECT.
The gateway is started anew for each figure; rounds are interleaved; medians.
"""
import argparse
import contextlib
import itertools
import os
import resource
import socket
import ssl
import statistics
import subprocess
import tempfile
import time

KINDS = ("mqtt", "mqtts 1.3", "mqtts 1.2", "ws", "wss 1.3")
TICKS = os.sysconf("SC_CLK_TCK")


def connect_packet(client_id):
    body = b"\x00\x04MQTT\x04\x02\x00\x00" + len(client_id).to_bytes(2, "big") + client_id.encode()
    return bytes([0x10, len(body)]) + body


def websocket_frame(payload):
    return bytes([0x82, 0x80 | len(payload)]) + bytes(4) + payload if len(payload) < 126 else \
        bytes([0x82, 0xFE]) + len(payload).to_bytes(2, "big") + bytes(4) + payload


def memory(pid):
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no Anonymous in smaps_rollup")


def cpu_s(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def make_certificates(folder):
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "7"]
    openssl("req", "-x509", *new, "-subj", "/CN=Test CA", "-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.pem")
    for name, added in (("localhost", ["-addext", "subjectAltName=IP:127.0.0.1"]), ("device", [])):
        openssl("req", "-x509", "-config", "/dev/null", "-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key", *new,
                "-subj", f"/CN={name}", "-addext", "basicConstraints=CA:FALSE", *added, "-keyout", f"{folder}/{name}.key",
                "-out", f"{folder}/{name}.pem")


def client_context(folder, version):
    context = ssl.create_default_context(cafile=f"{folder}/ca.pem")
    context.load_cert_chain(f"{folder}/device.pem", f"{folder}/device.key")
    if version == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def one_client(address, kind, context, packet):
    link = socket.create_connection(address)
    if context:
        link = context.wrap_socket(link, server_hostname="127.0.0.1")
    if kind.startswith("ws"):
        link.sendall(b"GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13"
                     b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")
        assert link.recv(4096).startswith(b"HTTP/1.1 101")
        packet = websocket_frame(packet)
    link.sendall(packet)
    assert link.recv(16).endswith(b"\x20\x02\x00\x00"), "no CONNACK"
    return link


@contextlib.contextmanager
def gateway_alone(program, *listeners):
    """muster_gateway_alone with two threads, for plain MQTT and the listeners: its process and their URLs, in this order."""
    server = subprocess.Popen([program, "127.0.0.1:0", "2", "1", *listeners], stdout=subprocess.PIPE, text=True)
    try:
        urls = (line.strip() for line in server.stdout if "://" in line.split(" ")[0])
        yield server, list(itertools.islice(urls, 1 + len(listeners)))
    finally:
        server.terminate()
        server.wait()


def address_of(urls, scheme):
    url = next(url for url in urls if url.startswith(f"{scheme}://"))
    return "127.0.0.1", int(url.split(":")[2].split("/")[0])


def measure(program, folder, kind, connections):
    """(bytes of user memory, microseconds of CPU), each of one connection."""
    files = f"cert={folder}/localhost.pem&key={folder}/localhost.key&client-ca={folder}/ca.pem&identity=none"
    with gateway_alone(program, f"mqtts://127.0.0.1:0?{files}", "ws://127.0.0.1:0",
                       f"wss://127.0.0.1:0?{files}") as (server, urls):
        address = address_of(urls, kind.split()[0])
        context = client_context(folder, kind.split()[1]) if " " in kind else None
        warm = [one_client(address, kind, context, connect_packet(f"warm-{i}")) for i in range(100)]
        time.sleep(2)
        before = memory(server.pid), cpu_s(server.pid)
        links = [one_client(address, kind, context, connect_packet(f"device-{i}")) for i in range(connections)]
        cpu = cpu_s(server.pid) - before[1]
        time.sleep(2)
        grown = memory(server.pid) - before[0]
        for link in warm + links:
            link.close()
        return grown / connections, cpu / connections * 1e6


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder:
        make_certificates(folder)
        figures = {kind: [] for kind in KINDS}
        for _ in range(options.rounds):
            for kind in KINDS:
                figures[kind].append(measure(options.gateway, folder, kind, options.connections))
        print("| transport | user bytes per idle connection | CPU, us per connect |\n| --- | ---: | ---: |")
        for kind, results in figures.items():
            print(f"| {kind} | {statistics.median(r[0] for r in results):,.0f} | "
                  f"{statistics.median(r[1] for r in results):,.0f} |")


if __name__ == "__main__":
    main()
