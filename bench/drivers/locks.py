"""Contenders for one lock, with kazoo: see bench/locks.ts.

Usage: locks.py SERVERS PATH CONTENDERS SECONDS; prints how often the lock was had in that time.
"""

import sys
import threading
import time

from kazoo.client import KazooClient

servers, path, contenders, seconds = sys.argv[1:]
clients = [KazooClient(hosts=servers, timeout=30) for _ in range(int(contenders))]
for client in clients:
    client.start()
clients[0].ensure_path(path)
counts = [0] * len(clients)
over = threading.Event()


def contend(i):
    while not over.is_set():
        with clients[i].Lock(path):
            counts[i] += 1


threads = [threading.Thread(target=contend, args=(i,), daemon=True) for i in range(len(clients))]
for thread in threads:
    thread.start()
time.sleep(1)
before, started = sum(counts), time.monotonic()
time.sleep(float(seconds))
print((sum(counts) - before) / (time.monotonic() - started), flush=True)
over.set()
for thread in threads:
    thread.join(10)
for client in clients:
    client.stop()
