"""A real Kafka broker for scenario tests, by tools/kafka.sh, on a loopback port that stays the same over restarts."""
import os
import pathlib
import signal
import socket
import subprocess

from harness import wait_until

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "tools" / "kafka.sh"
START_PATIENCE_S = 300.0  # the first start of a machine fetches the broker


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class KafkaServer:
    """One broker with its records in `data_dir`. `kill()` is kill -9, `stop()` is SIGTERM; `start()` again goes on with the
    same records on the same port. Usable as a context manager, which starts it and in the end kills it."""

    def __init__(self, data_dir, port=0, heap="512m"):
        self.data_dir = pathlib.Path(data_dir)
        self.port = port or free_port()
        self.heap = heap
        self.process = None

    @property
    def address(self):
        """What --kafka takes."""
        return f"127.0.0.1:{self.port}"

    @property
    def log(self):
        return self.data_dir.with_name(self.data_dir.name + ".log")

    def start(self):
        began = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(SCRIPT), "run", "--data", str(self.data_dir), "--port", str(self.port), "--heap", self.heap],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: self.process.poll() is not None or "Kafka Server started" in self.log_text()[began:],
                   "the Kafka broker to start", START_PATIENCE_S, 0.2)
        if self.process.poll() is not None:
            raise AssertionError(f"the Kafka broker ended with {self.process.returncode}:\n{self.log_text()[began:]}")
        return self

    def log_text(self):
        return self.log.read_text(errors="replace")

    def kill(self):
        """A crash."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """In order; a broker that takes longer than that is killed."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

    def restart(self):
        self.kill()
        return self.start()

    def freeze(self):
        """It is there and says nothing, until thaw()."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.kill()
