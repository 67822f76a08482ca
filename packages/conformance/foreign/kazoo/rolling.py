"""Reads and writes through kazoo with KazooRetry while the servers are restarted one after the other.

    python rolling.py 127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183

Each line "@server restart" asks the harness to restart one more member and waits for its "ok". Prints which requests failed
although they were retried, and whether the last acknowledged writes are there.
"""

import logging
import sys
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.retry import KazooRetry

logging.basicConfig(level=logging.CRITICAL)
WORKERS = 4


class Worker(threading.Thread):
    def __init__(self, number):
        super().__init__(daemon=True)
        self.path = f"/rolling-{number}"
        self.failures = []
        self.done = 0
        self.over = threading.Event()
        retry = KazooRetry(max_tries=-1, delay=0.05, max_delay=0.5)
        self.client = KazooClient(hosts=sys.argv[1], timeout=20, connection_retry=retry, command_retry=retry)
        self.client.start(timeout=60)
        self.client.create(self.path, b"0")

    def run(self):
        while not self.over.is_set():
            try:
                self.client.retry(self.client.set, self.path, str(self.done + 1).encode())
                self.done += 1
                self.client.retry(self.client.get, self.path)
            except KazooException as error:
                self.failures.append(type(error).__name__)


def main():
    workers = [Worker(n) for n in range(WORKERS)]
    sessions = [worker.client.client_id[0] for worker in workers]
    for worker in workers:
        worker.start()
    for _ in sys.argv[1].split(","):
        print("@server restart", flush=True)
        assert sys.stdin.readline() == "ok\n"
    for worker in workers:
        worker.over.set()
    for worker in workers:
        worker.join(60)
    print("failed", sum((worker.failures for worker in workers), []))
    print("same sessions", sessions == [worker.client.client_id[0] for worker in workers])
    print("last writes", all(int(w.client.retry(w.client.get, w.path)[0]) >= w.done > 0 for w in workers))
    for worker in workers:
        worker.client.stop()


main()
