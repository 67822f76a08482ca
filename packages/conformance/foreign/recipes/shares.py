"""kazoo on the paths of @zebu/recipes.

shares.py SERVERS queue PATH COUNT      puts COUNT items, and consumes until /stop is there
shares.py SERVERS barrier PATH ROUNDS   waits at a barrier, and raises and lifts it
shares.py SERVERS double PATH ROUNDS    enters and leaves a double barrier of three, with two others
"""

import sys
import time

from kazoo.client import KazooClient
from kazoo.recipe.barrier import Barrier, DoubleBarrier
from kazoo.recipe.queue import LockingQueue

servers, mode, path, count = sys.argv[1:5]
zk = KazooClient(hosts=servers)
zk.start()


def say(line):
    print(line, flush=True)


def wait_for(znode):
    while not zk.exists(znode):
        time.sleep(0.01)


say("ready")
wait_for("/go")
if mode == "queue":
    queue = LockingQueue(zk, path)
    for i in range(int(count)):
        queue.put(b"kazoo %d" % i, priority=100 + i % 3)
    while not zk.exists("/stop"):
        value = queue.get(timeout=0.2)
        if value is not None:
            zk.create("/consumed/kazoo ", value, sequence=True)
            queue.consume()
elif mode == "barrier":
    gate = Barrier(zk, path)
    for i in range(int(count)):
        # The other side raises, this one waits; then the other way round.
        wait_for("/raised-%d" % i)
        zk.create("/waits-%d" % i)
        if not gate.wait(60):
            raise SystemExit("the barrier was not lifted")
        gate.create()
        zk.create("/raised-here-%d" % i)
        wait_for("/waits-there-%d" % i)
        gate.remove()
        wait_for("/passed-%d" % i)
elif mode == "double":
    for i in range(int(count)):
        # One for each round: see docs/cookbook/barrier.md.
        party = DoubleBarrier(zk, "%s-%d" % (path, i), 3)
        party.enter()
        if not party.participating:
            raise SystemExit("it was not entered")
        zk.create("/in-%d/kazoo" % i)
        party.leave()
        zk.create("/out-%d/kazoo" % i)
else:
    raise SystemExit("no mode " + mode)
zk.stop()
say("done")
