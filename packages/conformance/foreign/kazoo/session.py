"""A long session of kazoo's, as its users have them; prints what the server let it see.

    python session.py 127.0.0.1:2181

What must differ from run to run is not printed, or relative to the first: zxids, times, session ids,
the order of children. Lines "@server stop|start" ask the harness to do that and wait for its "ok".
"""

import logging
import os
import socket
import struct
import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import KazooException
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import WatchedEvent, ZnodeStat
from kazoo.recipe.barrier import Barrier, DoubleBarrier
from kazoo.recipe.cache import TreeCache
from kazoo.recipe.lease import NonBlockingLease
from kazoo.retry import KazooRetry
from kazoo.security import (
    ACL,
    CREATOR_ALL_ACL,
    OPEN_ACL_UNSAFE,
    READ_ACL_UNSAFE,
    Id,
    make_acl,
    make_digest_acl,
)

logging.basicConfig(level=logging.CRITICAL)
HOSTS = sys.argv[1]
base_zxid = 0


def say(*parts):
    print(*parts, flush=True)


def section(name):
    say()
    say("##", name)


def show(value):
    if isinstance(value, ZnodeStat):
        return (
            f"stat(czxid={value.czxid - base_zxid} mzxid={value.mzxid - base_zxid} pzxid={value.pzxid - base_zxid}"
            f" version={value.version} cversion={value.cversion} aversion={value.aversion}"
            f" ephemeral={value.ephemeralOwner != 0} length={value.dataLength} children={value.numChildren}"
            f" same_time={value.ctime == value.mtime})"
        )
    if isinstance(value, WatchedEvent):
        return f"event({value.type} {value.state} {value.path})"
    if isinstance(value, (list, tuple)) and not isinstance(value, ACL):
        return "[" + ", ".join(show(one) for one in value) + "]"
    if isinstance(value, bytes) and len(value) > 80:
        return f"{len(value)} bytes, {value[:8]!r}..."
    if isinstance(value, Exception):
        return type(value).__name__
    return repr(value)


def attempt(name, function, *args, **kwargs):
    """Prints what a call gave or which error it raised."""
    try:
        result = function(*args, **kwargs)
    except (KazooException, KazooTimeoutError, TypeError, ValueError) as error:
        # A few of kazoo's own checks carry text; server errors have none worth comparing.
        say(name, "!!", type(error).__name__)
        return None
    say(name, "->", show(result))
    return result


def children(client, path):
    return sorted(client.get_children(path))


def client(**options):
    made = KazooClient(
        hosts=options.pop("hosts", HOSTS),
        timeout=options.pop("timeout", 10),
        connection_retry=KazooRetry(max_tries=-1, delay=0.05, max_delay=0.2),
        **options,
    )
    made.start(timeout=20)
    return made


def until(predicate, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if predicate():
            return True
        time.sleep(0.02)
    return False


def server(order):
    say(f"@server {order}")
    assert sys.stdin.readline() == "ok\n"


def close_session(session_id, password):
    """Closes a session from plain sockets, attach and close in one go. Its owner reconnects at once and may
    come between: tried until the server refuses the session, with a negotiated timeout of 0."""
    connect = struct.pack(">iqiqi", 0, 0, 10000, session_id, len(password)) + password + b"\0"
    close = struct.pack(">ii", 1, -11)
    host, port = HOSTS.split(",")[0].split(":")
    while True:
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"".join(struct.pack(">i", len(frame)) + frame for frame in (connect, close)))
            connection.settimeout(10)
            answer = b""
            try:
                while chunk := connection.recv(4096):
                    answer += chunk
            except ConnectionError:
                continue
        if len(answer) >= 12 and struct.unpack_from(">i", answer, 8)[0] == 0:
            return


class Events:
    """Collects watch events, to be printed once all of them came."""

    def __init__(self):
        self.seen = []

    def __call__(self, event):
        self.seen.append(event)

    def tell(self, name, count):
        until(lambda: len(self.seen) >= count)
        time.sleep(0.05)  # One too many would show as well.
        say(name, show(self.seen))
        self.seen = []


def basics(zk):
    global base_zxid
    section("connect")
    say("state", zk.state, "version", zk.server_version(), "negotiated timeout", zk._session_timeout)
    say("ruok", zk.command(b"ruok"), "isro", zk.command(b"isro"))
    say("client id", zk.client_id[0] != 0, len(zk.client_id[1]))

    section("create")
    attempt("create", zk.create, "/a", b"one")
    base_zxid = zk.get("/a")[1].czxid
    attempt("get", zk.get, "/a")
    attempt("create again", zk.create, "/a", b"one")
    attempt("create without parent", zk.create, "/no/where", b"")
    attempt("create makepath", zk.create, "/deep/er/est", b"x", makepath=True)
    attempt("create include_data", zk.create, "/a/with-data", b"two", include_data=True)
    attempt("create sequence", zk.create, "/a/seq-", b"", sequence=True)
    attempt("create sequence", zk.create, "/a/seq-", b"", sequence=True)
    attempt("create sequence of a folder", zk.create, "/a/", b"", sequence=True)
    attempt("create ephemeral", zk.create, "/a/eph", b"e", ephemeral=True)
    attempt("create ephemeral sequence", zk.create, "/a/es-", b"e", ephemeral=True, sequence=True, include_data=True)
    attempt("child of an ephemeral", zk.create, "/a/eph/child", b"")
    attempt("children of /a", children, zk, "/a")
    attempt("children with stat", lambda: zk.get_children("/a", include_data=True)[1])
    attempt("get ephemeral", zk.get, "/a/eph")
    for path in ["relative", "/a//b", "/a/", "/a/./b", "/a/../b", "/a/\x00b", "/a/\x01b", "/a/\ufff1", "/a/\ud7ff", "/zookeeper/x", ""]:
        attempt(f"create {path!r}", zk.create, path, b"")
    attempt("ensure_path", zk.ensure_path, "/p/q/r/s")
    attempt("ensure_path again", zk.ensure_path, "/p/q/r/s")
    attempt("empty data", zk.create, "/a/empty", b"")
    attempt("get empty", zk.get, "/a/empty")
    attempt("null acl list", zk.create, "/a/noacl", b"", acl=[])

    section("get, set, exists, delete")
    attempt("set", zk.set, "/a", b"two")
    attempt("set version 1", zk.set, "/a", b"three", version=1)
    attempt("set version 1 again", zk.set, "/a", b"four", version=1)
    attempt("set missing", zk.set, "/missing", b"")
    attempt("set None", zk.set, "/a", None)
    attempt("get None", zk.get, "/a")
    attempt("exists", zk.exists, "/a")
    attempt("exists missing", zk.exists, "/missing")
    attempt("exists below missing", zk.exists, "/missing/child")
    attempt("get missing", zk.get, "/missing")
    attempt("children of missing", zk.get_children, "/missing")
    attempt("delete not empty", zk.delete, "/a")
    attempt("delete missing", zk.delete, "/missing")
    attempt("delete bad version", zk.delete, "/a/empty", version=7)
    attempt("delete version 0", zk.delete, "/a/empty", version=0)
    attempt("delete root", zk.delete, "/")
    attempt("delete /zookeeper", zk.delete, "/zookeeper")
    attempt("delete /zookeeper/config", zk.delete, "/zookeeper/config")
    attempt("delete recursive", zk.delete, "/deep", recursive=True)
    attempt("get root", lambda: show(zk.get("/")[1]).split(" version")[1])
    attempt("children of root", children, zk, "/")
    attempt("children of /zookeeper", children, zk, "/zookeeper")
    attempt("get config", lambda: zk.get("/zookeeper/config")[0])
    attempt("sync", zk.sync, "/a")
    attempt("sync missing", zk.sync, "/missing/path")

    section("large and odd values")
    attempt("create 500 KB", zk.create, "/large", b"x" * 500_000)
    attempt("get 500 KB", zk.get, "/large")
    attempt("set 1000 KB", zk.set, "/large", bytes(range(256)) * 4000)
    attempt("same bytes back", lambda: zk.get("/large")[0] == bytes(range(256)) * 4000)
    for name in ["ünïcödé", "日本語", "пример", "a b", "tab\u2003", "-", "...", "..a", "%2F", "ﬀ"]:
        attempt(f"create {name}", zk.create, f"/a/{name}", name.encode())
        attempt(f"get {name}", lambda: zk.get(f"/a/{name}")[0].decode())
    attempt("children", children, zk, "/a")
    attempt("supplementary", zk.create, "/a/\U0001f993", b"")


def acls(zk):
    section("acls")
    attempt("get_acls open", zk.get_acls, "/a")
    read_only = [make_acl("world", "anyone", read=True)]
    attempt("create read only", zk.create, "/acl", b"r", acl=READ_ACL_UNSAFE)
    attempt("get_acls", zk.get_acls, "/acl")
    attempt("set read only", zk.set, "/acl", b"")
    attempt("create below read only", zk.create, "/acl/child", b"")
    attempt("delete read only", zk.delete, "/acl")
    attempt("set_acls without admin", zk.set_acls, "/acl", OPEN_ACL_UNSAFE)
    attempt("creator all without auth", zk.create, "/creator", b"", acl=CREATOR_ALL_ACL)
    alice = make_digest_acl("alice", "secret", all=True)
    attempt("create for alice", zk.create, "/alice", b"private", acl=[alice])
    attempt("get as nobody", zk.get, "/alice")
    attempt("children as nobody", zk.get_children, "/alice")
    attempt("exists as nobody", zk.exists, "/alice")
    attempt("get_acls as nobody", zk.get_acls, "/alice")
    attempt("set as nobody", zk.set, "/alice", b"")
    attempt("unknown scheme", zk.create, "/bad", b"", acl=[make_acl("nosuch", "x", all=True)])
    attempt("digest without colon", zk.create, "/bad", b"", acl=[make_acl("digest", "x", all=True)])
    attempt("world not anyone", zk.create, "/bad", b"", acl=[make_acl("world", "someone", all=True)])
    attempt("bad ip", zk.create, "/bad", b"", acl=[make_acl("ip", "300.1.2.3", all=True)])
    attempt("bad ip prefix", zk.create, "/bad", b"", acl=[make_acl("ip", "10.0.0.0/33", all=True)])

    alice_zk = client()
    attempt("add_auth", alice_zk.add_auth, "digest", "alice:secret")
    attempt("get as alice", alice_zk.get, "/alice")
    attempt("get_acls as alice", alice_zk.get_acls, "/alice")
    attempt("creator all", alice_zk.create, "/creator", b"", acl=CREATOR_ALL_ACL)
    attempt("resolved auth scheme", alice_zk.get_acls, "/creator")
    attempt("second identity", alice_zk.add_auth, "digest", "bob:other")
    attempt("creator all of two", alice_zk.create, "/creator2", b"", acl=CREATOR_ALL_ACL)
    attempt("resolved auth of two", lambda: sorted(map(show, alice_zk.get_acls("/creator2")[0])))
    attempt("set_acls version 3", alice_zk.set_acls, "/alice", read_only, version=3)
    attempt("set_acls version 0", alice_zk.set_acls, "/alice", read_only + [alice], version=0)
    attempt("set_acls empty", alice_zk.set_acls, "/alice", [])
    attempt("set_acls twice the same", alice_zk.set_acls, "/alice", [alice, alice] + read_only)
    attempt("get_acls", alice_zk.get_acls, "/alice")
    attempt("set_acls missing", alice_zk.set_acls, "/missing", read_only)
    alice_zk.stop()

    attempt("ip", zk.create, "/ip", b"", acl=[make_acl("ip", "127.0.0.1", all=True)])
    attempt("ip get", zk.get, "/ip")
    attempt("ip range", zk.create, "/ip-range", b"", acl=[make_acl("ip", "127.0.0.0/8", read=True)])
    attempt("ip range get", zk.get, "/ip-range")
    attempt("ip range set", zk.set, "/ip-range", b"")
    attempt("other ip", zk.create, "/ip-other", b"", acl=[make_acl("ip", "10.1.2.3", all=True)])
    attempt("other ip get", zk.get, "/ip-other")

    superuser = client(auth_data=[("digest", "super:admin")])
    attempt("super gets what is private", lambda: superuser.get("/alice")[0])
    attempt("super sets what is read only", superuser.set, "/acl", b"super")
    attempt("super's children", children, superuser, "/ip-other")
    superuser.stop()
    wrong = KazooClient(hosts=HOSTS, timeout=10, connection_retry=KazooRetry(max_tries=1))
    wrong.start(timeout=20)
    wrong_states = []
    wrong.add_listener(lambda state: wrong_states.append(state) and None)
    attempt("add_auth of an unknown scheme", wrong.add_auth, "nosuch", "x:y")
    # Its state goes on to others: only the listener is told of each.
    until(lambda: KazooState.LOST in wrong_states)
    say("after a failed auth", KazooState.LOST in wrong_states)
    # What a request meets then is a race of kazoo's own threads: the closed connection makes it connect again.
    wrong.stop()
    wrong.close()

    c_only = client(default_acl=[make_acl("world", "anyone", create=True)])
    attempt("create only", c_only.create, "/create-only", b"")
    attempt("child of it", c_only.create, "/create-only/child", b"", acl=OPEN_ACL_UNSAFE)
    attempt("no get", c_only.get, "/create-only")
    attempt("no delete", c_only.delete, "/create-only/child")
    attempt("no children", c_only.get_children, "/create-only")
    c_only.stop()


def transactions(zk):
    section("transactions")
    t = zk.transaction()
    t.create("/t", b"1")
    t.create("/t/seq-", b"", sequence=True)
    t.create("/t/eph", b"", ephemeral=True)
    t.set_data("/t", b"2", version=0)
    t.check("/t", version=1)
    t.delete("/t/eph")
    attempt("commit", t.commit)
    attempt("get", zk.get, "/t")
    attempt("children", children, zk, "/t")
    t = zk.transaction()
    t.create("/t/new", b"")
    t.check("/t", version=9)
    t.create("/t/other", b"")
    attempt("commit with a failing check", t.commit)
    t = zk.transaction()
    t.create("/t", b"")
    t.delete("/t/nothing")
    attempt("commit with an existing node", t.commit)
    t = zk.transaction()
    t.create("/t/a", b"")
    t.delete("/t/nothing")
    attempt("commit with a missing node", t.commit)
    t = zk.transaction()
    t.delete("/t")
    attempt("commit with a node that has children", t.commit)
    t = zk.transaction()
    t.set_data("/alice", b"x")
    t.create("/acl/child", b"")
    attempt("commit without rights", t.commit)
    t = zk.transaction()
    t.create("/t/bad", b"", acl=[make_acl("nosuch", "x", all=True)])
    attempt("commit with a bad acl", t.commit)
    t = zk.transaction()
    attempt("commit of nothing", t.commit)
    attempt("children after failures", children, zk, "/t")
    with zk.transaction() as t:
        t.create("/t/in-with", b"")
    attempt("context manager", children, zk, "/t")
    t = zk.transaction()
    for index in range(200):
        t.create(f"/t/many-{index:03}", b"")
    attempt("200 at once", lambda: len(t.commit()))
    attempt("zxid shared", lambda: zk.get("/t/many-000")[1].czxid == zk.get("/t/many-199")[1].czxid)
    t = zk.transaction()
    for index in range(200):
        t.delete(f"/t/many-{index:03}")
    attempt("200 deleted", lambda: set(t.commit()))


def watches(zk):
    section("watches")
    other = client()
    events = Events()
    zk.create("/w", b"")
    zk.get("/w", watch=events)
    other.set("/w", b"1")
    other.set("/w", b"2")
    events.tell("data watch fires once", 1)
    zk.exists("/w/later", watch=events)
    other.create("/w/later", b"")
    events.tell("exists watch on a missing node", 1)
    zk.exists("/w/later", watch=events)
    other.set("/w/later", b"1")
    events.tell("exists watch on a node", 1)
    zk.get_children("/w", watch=events)
    other.create("/w/child", b"")
    other.create("/w/child2", b"")
    events.tell("child watch fires once", 1)
    zk.get("/w/child", watch=events)
    zk.exists("/w/child", watch=events)
    zk.get_children("/w/child", watch=events)
    zk.get_children("/w", watch=events)
    other.delete("/w/child")
    events.tell("delete with a data, a child and the parent's child watch", 2)
    attempt("get missing leaves no watch", zk.get, "/w/gone", watch=events)
    other.create("/w/gone", b"")
    events.tell("none", 0)
    zk.get("/w", watch=events)
    zk.set("/w", b"own change")
    events.tell("own change", 1)
    zk.get("/w", watch=events)
    zk.get_children("/w", watch=events)
    t = other.transaction()
    t.set_data("/w", b"in transaction")
    t.create("/w/in-transaction", b"")
    attempt("commit", t.commit)
    events.tell("transaction", 2)
    zk.exists("/w/eph", watch=events)
    other.create("/w/eph", b"", ephemeral=True)
    events.tell("ephemeral created", 1)
    zk.exists("/w/eph", watch=events)
    other.stop()
    events.tell("ephemeral gone with its session", 1)
    say("wchs", zk.command(b"wchs").splitlines()[-1])


def recipes(zk):
    section("recipes: lock")
    other = client()
    lock, lock2 = zk.Lock("/recipes/lock", "first"), other.Lock("/recipes/lock", "second")
    attempt("acquire", lock.acquire)
    attempt("acquire held, not blocking", lock2.acquire, blocking=False)
    attempt("acquire held, timeout", lock2.acquire, timeout=0.2)
    attempt("contenders", lock.contenders)
    order = []
    waiter = threading.Thread(target=lambda: (lock2.acquire(), order.append("second got it")))
    waiter.start()
    until(lambda: len(lock.contenders()) == 2)
    attempt("contenders", lock.contenders)
    order.append("first releases")
    attempt("release", lock.release)
    waiter.join(60)
    say("order", order)
    attempt("release", lock2.release)
    with zk.Lock("/recipes/lock", "with") as held:
        say("with", held)
    attempt("children", children, zk, "/recipes/lock")

    section("recipes: read and write lock")
    reader, reader2, writer = zk.ReadLock("/recipes/rw", "r1"), other.ReadLock("/recipes/rw", "r2"), other.WriteLock("/recipes/rw", "w")
    attempt("read", reader.acquire)
    attempt("second read", reader2.acquire)
    attempt("write", writer.acquire, blocking=False)
    attempt("release", reader.release)
    attempt("release", reader2.release)
    attempt("write", writer.acquire)
    attempt("read", reader.acquire, blocking=False)
    attempt("release", writer.release)

    section("recipes: semaphore")
    s1, s2, s3 = (zk.Semaphore("/recipes/sem", f"s{n}", max_leases=2) for n in range(3))
    attempt("first", s1.acquire)
    attempt("second", s2.acquire)
    attempt("third", s3.acquire, blocking=False)
    attempt("holders", lambda: sorted(s1.lease_holders()))
    attempt("release", s1.release)
    attempt("third", s3.acquire, timeout=60)
    attempt("holders", lambda: sorted(s1.lease_holders()))
    attempt("other max", other.Semaphore("/recipes/sem", "x", max_leases=5).acquire)
    s2.release(), s3.release()

    section("recipes: election")
    done = []
    elections = [zk.Election("/recipes/election", "e1"), other.Election("/recipes/election", "e2")]
    threads = [threading.Thread(target=lambda e=e, n=n: e.run(lambda: done.append(n))) for n, e in enumerate(elections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    say("both led", sorted(done))

    section("recipes: counter, queue, locking queue, party, barriers, lease")
    counter = zk.Counter("/recipes/counter", default=7)
    counter += 2
    counter -= 5
    say("counter", counter.value, counter.pre_value, counter.post_value)
    float_counter = other.Counter("/recipes/float", default=1.5)
    float_counter += 2.25
    say("float", float_counter.value)
    queue = zk.Queue("/recipes/queue")
    for value, priority in [(b"late", 200), (b"normal", 100), (b"early", 1)]:
        queue.put(value, priority)
    say("queue", len(queue), [other.Queue("/recipes/queue").get() for _ in range(4)])
    locking = zk.LockingQueue("/recipes/locking")
    locking.put_all([b"x", b"y"])
    say("locking", locking.get(), locking.holds_lock(), locking.consume(), locking.get(), locking.release(), len(locking))
    party, party2 = zk.Party("/recipes/party", "p1"), other.Party("/recipes/party", "p2")
    party.join(), party2.join()
    say("party", sorted(party), len(party2))
    party.leave()
    say("party", sorted(party2))
    shallow = zk.ShallowParty("/recipes/shallow", "sp")
    shallow.join()
    say("shallow", list(shallow))
    barrier = Barrier(zk, "/recipes/barrier")
    barrier.create()
    say("barrier up", barrier.wait(0.2))
    threading.Timer(0.2, Barrier(other, "/recipes/barrier").remove).start()
    say("barrier removed", barrier.wait(60), barrier.remove())
    double = [DoubleBarrier(zk, "/recipes/double", 2, "d1"), DoubleBarrier(other, "/recipes/double", 2, "d2")]
    threads = [threading.Thread(target=lambda d=d: (d.enter(), d.leave())) for d in double]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    say("double barrier passed", [d.participating for d in double], children(zk, "/recipes/double"))
    import datetime

    lease = NonBlockingLease(zk, "/recipes/lease", datetime.timedelta(seconds=60), "l1")
    lease2 = NonBlockingLease(other, "/recipes/lease", datetime.timedelta(seconds=60), "l2")
    say("lease", bool(lease), bool(lease2))

    section("recipes: DataWatch, ChildrenWatch, TreeCache")
    seen = []
    zk.DataWatch("/recipes/data", lambda data, stat, event: seen.append((data, stat and stat.version, event and event.type)) and None)
    other.create("/recipes/data", b"0")
    until(lambda: len(seen) == 2)
    for n in range(1, 4):
        other.set("/recipes/data", str(n).encode())
        until(lambda: len(seen) == 2 + n)
    other.delete("/recipes/data")
    until(lambda: len(seen) == 6)
    say("data watch", seen)
    lists = []
    zk.ensure_path("/recipes/kids")
    zk.ChildrenWatch("/recipes/kids", lambda kids: lists.append(sorted(kids)) and None)
    for n in range(3):
        other.create(f"/recipes/kids/k{n}", b"")
        until(lambda: len(lists) == n + 2)
    other.delete("/recipes/kids/k1")
    until(lambda: len(lists) == 5)
    say("children watch", lists)
    changes = []
    zk.ensure_path("/recipes/tree/a/b")
    cache = TreeCache(zk, "/recipes/tree")
    cache.listen(lambda event: changes.append((event.event_type, event.event_data and event.event_data.path)))
    cache.start()
    until(lambda: any(kind == 6 for kind, _ in changes))
    say("tree cache", sorted(map(str, changes)))
    changes.clear()
    other.set("/recipes/tree/a", b"new")
    other.create("/recipes/tree/a/c", b"")
    other.delete("/recipes/tree/a/b")
    until(lambda: len(changes) >= 3)
    say("tree cache", sorted(map(str, changes)), cache.get_data("/recipes/tree/a").data, sorted(cache.get_children("/recipes/tree/a")))
    cache.close()

    section("recipes: SetPartitioner")
    partitioners = [
        zk.SetPartitioner("/recipes/parts", set=("1", "2", "3", "4"), time_boundary=0.5, identifier="one"),
        other.SetPartitioner("/recipes/parts", set=("1", "2", "3", "4"), time_boundary=0.5, identifier="two"),
    ]

    def settle():
        for p in partitioners:
            if p.release:
                p.release_set()
            elif p.allocating:
                p.wait_for_acquire(0.1)
        return all(p.acquired and len(list(p)) == 2 for p in partitioners)

    until(settle)
    say("parts", [sorted(p) for p in partitioners])
    for p in partitioners:
        p.finish()
    other.stop()


def sessions(zk):
    section("chroot")
    zk.ensure_path("/chroot/inner")
    rooted = client(hosts=HOSTS + "/chroot")
    attempt("children", children, rooted, "/")
    attempt("create", rooted.create, "/inner/x", b"")
    attempt("create include_data", lambda: rooted.create("/inner/y", b"", include_data=True)[0])
    attempt("sequence", rooted.create, "/inner/s-", b"", sequence=True)
    events = Events()
    rooted.get_children("/inner", watch=events)
    zk.create("/chroot/inner/z", b"")
    events.tell("event of a chroot", 1)
    t = rooted.transaction()
    t.create("/inner/t", b"")
    attempt("transaction", t.commit)
    attempt("seen outside", children, zk, "/chroot/inner")
    rooted.stop()

    section("a session moves to another connection and is closed there")
    holder = client()
    holder.create("/held", b"", ephemeral=True)
    lost = []
    holder.add_listener(lambda state: lost.append(state) and None)
    session = holder.client_id
    close_session(*session)
    until(lambda: KazooState.LOST in lost)
    zk.sync("/")  # A session is refused from its close on; its ephemerals go when that is on disk.
    say("session closed under it", KazooState.LOST in lost, zk.exists("/held"))
    until(lambda: holder.connected)
    attempt("a new session", lambda: (holder.client_id[0] != session[0], holder.exists("/held")))
    holder.stop()
    imposter = KazooClient(hosts=HOSTS, timeout=10, client_id=(zk.client_id[0], b"\1" * 16))
    imposter.start(timeout=20)
    say("wrong password gives another session", imposter.client_id[0] != zk.client_id[0], zk.exists("/a") is not None)
    imposter.stop()

    section("reconnect to a restarted server")
    zk.create("/survivor", b"", ephemeral=True)
    states, events = [], Events()
    zk.add_listener(lambda state: states.append(state) and None)
    session = zk.client_id
    zk.get("/a", watch=events)
    zk.exists("/not-yet", watch=events)
    zk.get_children("/w", watch=events)
    server("stop")
    until(lambda: zk.state == KazooState.SUSPENDED)
    server("start")
    # kazoo changes its state first and tells its listeners afterwards, on another thread.
    until(lambda: states[-1:] == [KazooState.CONNECTED])
    say("states", states, "same session", session == zk.client_id)
    attempt("ephemeral survived", lambda: zk.exists("/survivor").ephemeralOwner == session[0])
    zk.set("/a", b"after")
    zk.create("/not-yet", b"")
    zk.create("/w/after", b"")
    # kazoo tells a watcher of the loss and does not set the watch again.
    say("watchers were told", sorted(show(e) for e in events.seen))

    section("killed under a session: what was acknowledged is there")
    server("kill")
    until(lambda: zk.state == KazooState.SUSPENDED)
    server("start")
    until(lambda: zk.state == KazooState.CONNECTED)
    attempt("data", lambda: zk.get("/a")[0])
    attempt("ephemeral survived", lambda: zk.exists("/survivor") is not None)
    say("same session", session == zk.client_id)
    attempt("sequence goes on", zk.create, "/a/seq-", b"", sequence=True)

    section("expiry")
    mayfly = client(timeout=1)
    say("negotiated", mayfly._session_timeout)
    mayfly.create("/mayfly", b"", ephemeral=True)
    gone = Events()
    zk.exists("/mayfly", watch=gone)
    # Drops the connection without a close, as a machine that loses its power.
    threading.excepthook = lambda _: None  # Its thread trips over that.
    mayfly._stopped.set()
    mayfly._connection._socket.close()
    gone.tell("ephemeral of a silent session", 1)

    section("asynchronous")
    zk.ensure_path("/async")
    results = [zk.create_async(f"/async/n{n:04}", b"") for n in range(2000)]
    say("2000 creates", results[0].get(30), results[-1].get(30), all(r.get(30) for r in results))
    results = [zk.get_async(f"/async/n{n:04}") for n in range(2000)]
    zxids = [r.get(30)[1].czxid for r in results]
    say("in order", zxids == sorted(zxids))
    results = [zk.delete_async(f"/async/n{n:04}") for n in range(2000)]
    say("2000 deletes", all(r.get(30) for r in results), zk.get("/async")[1].cversion)


def words(zk):
    section("words and reconfig")
    mntr = dict(line.split("\t", 1) for line in zk.command(b"mntr").splitlines() if "\t" in line)
    say({key: mntr[key] for key in ("zk_server_state", "zk_ephemerals_count", "zk_outstanding_requests")})
    say("stat", [line.split(":")[0] for line in zk.command(b"stat").splitlines() if not line.startswith(" /")])
    say("conf", sorted(line.split("=")[0] for line in zk.command(b"conf").splitlines()))
    say("dump", [line.split(":")[0] for line in zk.command(b"dump").splitlines() if not line.startswith(("\t", "0x"))][:1])
    attempt("reconfig", zk.reconfig, "server.2=127.0.0.1:1:2:participant", None, None)


def main():
    zk = client()
    basics(zk)
    acls(zk)
    transactions(zk)
    watches(zk)
    recipes(zk)
    sessions(zk)
    words(zk)
    zk.stop()
    attempt("after stop", zk.get, "/a")
    zk.close()


main()
# All is said. Python would wait for kazoo's own threads, of which one sometimes never ends.
sys.stdout.flush()
os._exit(0)
