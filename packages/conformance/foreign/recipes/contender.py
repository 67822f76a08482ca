"""Takes turns at a lock, or leads terms of an election, with kazoo: see test/recipes/shared-paths.interop.test.ts.

Usage: contender.py SERVERS lock|election PATH WHO ROUNDS
"""

import logging
import re
import sys
import time

from kazoo.client import KazooClient
from kazoo.recipe.lock import Lock

servers, mode, path, who, rounds = sys.argv[1:]
logging.basicConfig(level=logging.ERROR)


class SharedLock(Lock):
    """Named so that Curator, which reads the number behind "lock-", puts it into the line where it belongs."""

    _NODE_NAME = "-lock-"
    _EXCLUDE_NAMES = ["-lock-"]


zk = KazooClient(hosts=servers, timeout=30)
zk.start()


def turn():
    names = zk.get_children(path)
    first = min(int(re.search(r"lock-(\d{10})$", name).group(1)) for name in names)
    data, stat = zk.get("/counter")
    # Whoever else is in here makes this fail.
    zk.set("/counter", str(int(data) + 1).encode(), version=stat.version)
    zk.create("/turns/t-", ("%s %d" % (who, first)).encode(), sequence=True)


print("ready", flush=True)
while not zk.exists("/go"):
    time.sleep(0.01)
if mode == "lock":
    for _ in range(int(rounds)):
        with SharedLock(zk, path, who):
            turn()
else:
    election = zk.Election(path, who)
    election.lock = SharedLock(zk, path, who)
    for _ in range(int(rounds)):
        election.run(turn)
zk.stop()
print("done", flush=True)
