"""`muster cluster init` and `muster cluster check` on a real Kafka broker."""
import pathlib
import subprocess
import tempfile
import unittest

from cluster_scenario import scale_out
from scale_out import MUSTER, free_port


def cluster(*words):
    return subprocess.run([MUSTER, "cluster", *words], capture_output=True, text=True, timeout=120)


class ClusterCommand(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        port = free_port()
        cls.kafka = f"127.0.0.1:{port}"
        broker = scale_out.kafka_broker(pathlib.Path(cls.directory.name), port)
        cls.addClassCleanup(broker.kill)
        broker.start()

    def test_init_makes_the_topics_once_and_check_agrees(self):
        before = cluster("check", "--kafka", self.kafka, "--kafka-prefix", "a.")
        self.assertEqual(before.returncode, 1, before)
        self.assertIn("missing", before.stdout)
        first = cluster("init", "--kafka", self.kafka, "--kafka-prefix", "a.", "--partitions", "4")
        self.assertEqual(first.returncode, 0, first)
        self.assertRegex(first.stdout, r"a\.muster\.events +created, kept for 168 h or 4096 MiB")
        self.assertRegex(first.stdout, r"a\.muster\.status +created, compacted")
        second = cluster("init", "--kafka", self.kafka, "--kafka-prefix", "a.")
        self.assertEqual(second.returncode, 0, second)
        self.assertNotIn("created", second.stdout)
        self.assertIn("4 partitions", second.stdout)
        self.assertRegex(second.stdout, r"a\.muster\.events +already so")
        self.assertEqual(cluster("check", "--kafka", self.kafka, "--kafka-prefix", "a.").returncode, 0)

    def test_what_differs_is_said_and_left_alone(self):
        self.assertEqual(
            cluster("init", "--kafka", self.kafka, "--kafka-prefix", "b.", "--partitions", "2").returncode, 0)
        smaller = ("--kafka", self.kafka, "--kafka-prefix", "b.", "--events-bytes-max", str(1 << 30))
        init = cluster("init", *smaller)
        self.assertEqual(init.returncode, 0, init)
        self.assertRegex(init.stdout, r"b\.muster\.events +retention\.bytes is 2147483648, not 536870912")
        self.assertIn("What is different was left as it is", init.stdout)
        self.assertEqual(cluster("check", *smaller).returncode, 1)
        other = cluster("check", "--kafka", self.kafka, "--kafka-prefix", "b.", "--partitions", "3")
        self.assertEqual(other.returncode, 1)
        self.assertIn("partitions is 2, not 3: Muster cannot run on it", other.stdout)
        self.assertIn("cannot be used as they are", other.stderr)

    def test_mistakes_are_said_in_words(self):
        nobody = cluster("check", "--kafka", f"127.0.0.1:{free_port()}")
        self.assertEqual(nobody.returncode, 1)
        self.assertIn("muster cluster check: cannot reach Kafka: 127.0.0.1:", nobody.stderr)
        copies = cluster("init", "--kafka", self.kafka, "--kafka-prefix", "c.", "--replication", "3")
        self.assertEqual(copies.returncode, 1)
        self.assertIn("3 copies on 1 broker", copies.stderr)
        setting = cluster("init", "--kafka", self.kafka, "--kafka-setting", "acks=0")
        self.assertEqual(setting.returncode, 1)
        self.assertIn("acks", setting.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
