// A session of Apache Curator's framework and recipes; prints what the server let it see. One file, run with
//
//   java -cp '.tools/interop/curator-5.9.0/lib/*' Session.java 127.0.0.1:2181
//
// What must differ from run to run is not printed. "@server stop" and the like ask the harness for that; it
// answers "ok" on standard input. Start the server with znode.container.checkIntervalMs=200.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.CachedAtomicInteger;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicInteger;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.leader.Participant;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.SharedValue;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryForever;
import org.apache.curator.retry.RetryOneTime;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZKUtil;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;

public class Session {
  static String hosts;
  static final ExecutorService threads = Executors.newCachedThreadPool();
  static final BufferedReader orders =
      new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));

  public static void main(String[] arguments) throws Exception {
    hosts = arguments[0];
    CuratorFramework client = open(null);
    framework(client);
    plainClient(client);
    locks(client);
    leaders(client);
    caches(client);
    counters(client);
    barriersAndQueues(client);
    nodes(client);
    sessions(client);
    client.close();
    System.out.flush();
    // Some recipes leave threads behind.
    Runtime.getRuntime().halt(0);
  }

  // ---- what prints and waits

  static void say(Object... parts) {
    StringBuilder line = new StringBuilder();
    for (Object part : parts) line.append(line.length() == 0 ? "" : " ").append(show(part));
    System.out.println(line);
  }

  static void section(String name) {
    say("\n##", name);
  }

  static String show(Object value) {
    if (value instanceof byte[]) return "'" + new String((byte[]) value, StandardCharsets.UTF_8) + "'";
    if (value instanceof Stat) {
      Stat stat = (Stat) value;
      return "stat(version=" + stat.getVersion() + " cversion=" + stat.getCversion() + " aversion=" + stat.getAversion()
          + " ephemeral=" + (stat.getEphemeralOwner() != 0) + " length=" + stat.getDataLength()
          + " children=" + stat.getNumChildren() + " changed=" + (stat.getMzxid() != stat.getCzxid()) + ")";
    }
    if (value instanceof AtomicValue) {
      AtomicValue<?> atomic = (AtomicValue<?>) value;
      return atomic.succeeded() + " " + atomic.preValue() + " to " + atomic.postValue();
    }
    if (value instanceof Collection && !((Collection<?>) value).isEmpty()
        && ((Collection<?>) value).iterator().next() instanceof CuratorTransactionResult) {
      List<String> shown = new ArrayList<>();
      for (Object one : (Collection<?>) value) {
        CuratorTransactionResult result = (CuratorTransactionResult) one;
        shown.add(result.getType() + " " + result.getForPath() + " " + result.getResultPath() + " "
            + show(result.getResultStat()) + " " + result.getError());
      }
      return shown.toString();
    }
    return String.valueOf(value);
  }

  interface Action {
    Object run() throws Exception;
  }

  static Object attempt(String name, Action action) {
    try {
      Object result = action.run();
      say(name, "->", result);
      return result;
    } catch (KeeperException error) {
      say(name, "!!", error.code(), error.getPath() == null ? "" : error.getPath(), results(error));
    } catch (Exception error) {
      say(name, "!!", error.getClass().getSimpleName(), error.getMessage());
    }
    return null;
  }

  static String results(KeeperException error) {
    if (error.getResults() == null) return "";
    List<Integer> codes = new ArrayList<>();
    for (OpResult one : error.getResults()) {
      codes.add(one instanceof OpResult.ErrorResult ? ((OpResult.ErrorResult) one).getErr() : 0);
    }
    return codes.toString();
  }

  static boolean until(BooleanSupplier isTrue) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!isTrue.getAsBoolean() && System.nanoTime() < deadline) Thread.sleep(10);
    return isTrue.getAsBoolean();
  }

  static void server(String order) throws Exception {
    System.out.println("@server " + order);
    if (!"ok".equals(orders.readLine())) throw new IllegalStateException("the harness is gone");
  }

  static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static List<String> sorted(Collection<String> names) {
    return new ArrayList<>(new TreeSet<>(names));
  }

  static CuratorFramework open(String namespace) throws Exception {
    CuratorFramework client = CuratorFrameworkFactory.builder()
        .connectString(hosts).namespace(namespace)
        .sessionTimeoutMs(10_000).connectionTimeoutMs(10_000)
        .retryPolicy(new RetryForever(100)).build();
    client.start();
    client.blockUntilConnected();
    return client;
  }

  // ---- the framework

  static void framework(CuratorFramework client) throws Exception {
    section("framework");
    attempt("create", () -> client.create().forPath("/a", bytes("one")));
    attempt("create again", () -> client.create().forPath("/a"));
    attempt("create or set", () -> client.create().orSetData().forPath("/a", bytes("two")));
    attempt("create without parent", () -> client.create().forPath("/no/where"));
    attempt("create parents", () -> client.create().creatingParentsIfNeeded().forPath("/deep/er/est", bytes("x")));
    attempt("create container parents", () -> client.create().creatingParentContainersIfNeeded().forPath("/boxes/in/boxes", bytes("x")));
    for (CreateMode mode : CreateMode.values()) {
      attempt("create " + mode, () -> (mode.isTTL() ? client.create().withTtl(600_000) : client.create()).withMode(mode).forPath("/a/" + mode + "-", bytes("m")));
    }
    Stat stat = new Stat();
    attempt("create storing stat", () -> client.create().storingStatIn(stat).forPath("/a/stat", bytes("s")));
    say("stat", stat);
    attempt("protection", () -> client.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/a/p-").replaceAll("_c_[-0-9a-f]+-", "_c_{guid}-"));
    attempt("child of an ephemeral", () -> client.create().forPath("/a/EPHEMERAL-/child"));
    attempt("compressed", () -> client.create().compressed().forPath("/a/gz", bytes("compressed")));
    attempt("decompressed", () -> client.getData().decompressed().forPath("/a/gz"));
    attempt("get", () -> client.getData().storingStatIn(stat).forPath("/a"));
    say("stat", stat);
    attempt("get missing", () -> client.getData().forPath("/missing"));
    attempt("set", () -> client.setData().forPath("/a", bytes("three")));
    attempt("set version 2", () -> client.setData().withVersion(2).forPath("/a", bytes("four")));
    attempt("set version 2", () -> client.setData().withVersion(2).forPath("/a", bytes("five")));
    attempt("exists", () -> client.checkExists().forPath("/a"));
    attempt("exists missing", () -> client.checkExists().forPath("/missing"));
    attempt("exists with parents", () -> client.checkExists().creatingParentsIfNeeded().forPath("/made/by/exists"));
    attempt("children", () -> sorted(client.getChildren().forPath("/a")).toString().replaceAll("_c_[-0-9a-f]+-", "_c_{guid}-"));
    attempt("children of root", () -> sorted(client.getChildren().forPath("/")));
    attempt("delete with children", () -> client.delete().forPath("/deep"));
    attempt("delete deep", () -> client.delete().deletingChildrenIfNeeded().forPath("/deep"));
    attempt("delete version 9", () -> client.delete().withVersion(9).forPath("/a/stat"));
    attempt("delete quietly", () -> client.delete().quietly().forPath("/missing"));
    attempt("delete guaranteed", () -> client.delete().guaranteed().forPath("/a/stat"));
    attempt("unicode", () -> client.create().forPath("/a/日本 ü", bytes("ж")));
    attempt("unicode", () -> client.getData().forPath("/a/日本 ü"));
    attempt("large", () -> client.create().forPath("/a/large", new byte[900_000]) + " " + client.getData().forPath("/a/large").length);
    attempt("sync", () -> client.sync().forPath("/a"));
    attempt("config", () -> client.getConfig().forEnsemble());

    section("transactions");
    attempt("commit", () -> client.transaction().forOperations(
        client.transactionOp().create().forPath("/t", bytes("1")),
        client.transactionOp().create().withMode(CreateMode.PERSISTENT_SEQUENTIAL).forPath("/t/s-", bytes("2")),
        client.transactionOp().create().withMode(CreateMode.CONTAINER).forPath("/t/c"),
        client.transactionOp().create().withTtl(600_000).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath("/t/ttl"),
        client.transactionOp().create().withMode(CreateMode.EPHEMERAL).forPath("/t/e"),
        client.transactionOp().setData().withVersion(0).forPath("/t", bytes("3")),
        client.transactionOp().check().withVersion(1).forPath("/t"),
        client.transactionOp().delete().forPath("/t/e")));
    attempt("commit", () -> client.transaction().forOperations(
        client.transactionOp().create().forPath("/t/new"),
        client.transactionOp().check().withVersion(9).forPath("/t"),
        client.transactionOp().create().forPath("/t/other")));
    attempt("children", () -> sorted(client.getChildren().forPath("/t")));

    section("acls");
    CuratorFramework alice = CuratorFrameworkFactory.builder().connectString(hosts).retryPolicy(new RetryForever(100))
        .authorization("digest", bytes("alice:secret")).build();
    alice.start();
    attempt("creator all", () -> alice.create().withACL(ZooDefs.Ids.CREATOR_ALL_ACL).forPath("/private", bytes("p")));
    attempt("get acl", () -> alice.getACL().forPath("/private"));
    attempt("nobody gets", () -> client.getData().forPath("/private"));
    attempt("nobody sets", () -> client.setData().forPath("/private"));
    attempt("nobody's acl", () -> client.getACL().forPath("/private"));
    attempt("nobody creates", () -> client.create().forPath("/private/x"));
    attempt("nobody with creator all", () -> client.create().withACL(ZooDefs.Ids.CREATOR_ALL_ACL).forPath("/x"));
    attempt("set acl", () -> alice.setACL().withVersion(0).withACL(List.of(new ACL(ZooDefs.Perms.READ, new Id("ip", "127.0.0.0/8")))).forPath("/private"));
    attempt("set acl version 0", () -> alice.setACL().withVersion(0).withACL(ZooDefs.Ids.OPEN_ACL_UNSAFE).forPath("/private"));
    attempt("nobody gets", () -> client.getData().forPath("/private"));
    attempt("bad acl", () -> client.create().withACL(List.of(new ACL(31, new Id("nosuch", "x")))).forPath("/x"));
    attempt("empty acl", () -> client.setACL().withACL(List.of()).forPath("/a"));
    alice.close();
    CuratorFramework superuser = CuratorFrameworkFactory.builder().connectString(hosts).retryPolicy(new RetryForever(100))
        .authorization("digest", bytes("super:admin")).build();
    superuser.start();
    attempt("super sets", () -> superuser.setData().forPath("/private", bytes("super")));
    superuser.close();

    section("namespace and background");
    CuratorFramework named = open("space/inner");
    attempt("create", () -> named.create().forPath("/x"));
    attempt("children", () -> named.getChildren().forPath("/"));
    attempt("seen outside", () -> client.checkExists().forPath("/space/inner/x"));
    named.close();
    CountDownLatch created = new CountDownLatch(500);
    AtomicInteger failed = new AtomicInteger();
    client.create().forPath("/background");
    for (int n = 0; n < 500; n++) {
      client.create().inBackground((c, event) -> {
        if (event.getResultCode() != 0) failed.incrementAndGet();
        created.countDown();
      }).forPath("/background/n" + n);
    }
    say("500 in the background", created.await(60, TimeUnit.SECONDS), failed.get());
    attempt("children", () -> client.getChildren().forPath("/background").size());

    section("watches");
    BlockingQueue<String> events = new LinkedBlockingQueue<>();
    Watcher watcher = event -> events.add(event.getType() + " " + event.getPath());
    attempt("get", () -> client.getData().usingWatcher(watcher).forPath("/a"));
    client.setData().forPath("/a", bytes("w"));
    say("event", events.poll(60, TimeUnit.SECONDS));
    attempt("children", () -> client.getChildren().usingWatcher(watcher).forPath("/t").size());
    client.create().forPath("/t/watched");
    say("event", events.poll(60, TimeUnit.SECONDS));
    attempt("exists", () -> client.checkExists().usingWatcher(watcher).forPath("/t/not-yet"));
    client.create().forPath("/t/not-yet");
    say("event", events.poll(60, TimeUnit.SECONDS));
    attempt("remove a watch that is not there", () -> client.watchers().remove(watcher).forPath("/t"));
    attempt("exists", () -> client.checkExists().usingWatcher(watcher).forPath("/t/not-yet"));
    attempt("remove", () -> client.watchers().remove(watcher).forPath("/t/not-yet"));
    say("event", events.poll(60, TimeUnit.SECONDS));
    for (AddWatchMode mode : AddWatchMode.values()) {
      client.create().orSetData().forPath("/watched", bytes("0"));
      attempt("add " + mode, () -> client.watchers().add().withMode(mode).usingWatcher(watcher).forPath("/watched"));
      client.setData().forPath("/watched", bytes("1"));
      client.create().forPath("/watched/child");
      client.setData().forPath("/watched/child", bytes("2"));
      client.delete().forPath("/watched/child");
      client.delete().forPath("/watched");
      client.create().forPath("/watched");
      tellInOrder(events, mode == AddWatchMode.PERSISTENT ? 5 : 6);
      attempt("remove", () -> client.watchers().removeAll().forPath("/watched"));
      tellInOrder(events, 1);
    }
  }

  // ---- ZooKeeper's own Java client, for what Curator has no word for

  static void plainClient(CuratorFramework client) throws Exception {
    section("the plain Java client");
    CountDownLatch connected = new CountDownLatch(1);
    ZooKeeper zk = new ZooKeeper(hosts, 10_000, event -> connected.countDown());
    connected.await();
    say("whoami", zk.whoAmI().size(), zk.whoAmI().get(0).getAuthScheme(), zk.whoAmI().get(0).getUser());
    zk.addAuthInfo("digest", bytes("erin:pw"));
    TreeSet<String> identities = new TreeSet<>();
    zk.whoAmI().forEach(one -> identities.add(one.getAuthScheme() + " " + one.getUser()));
    say("whoami", identities);
    Stat stat = new Stat();
    attempt("create with stat", () -> zk.create("/plain", bytes("p"), ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, stat));
    say("stat", stat);
    attempt("null data", () -> zk.create("/plain/null", null, ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL));
    attempt("get null", () -> zk.getData("/plain/null", false, null) == null);
    attempt("ttl of nothing", () -> zk.create("/plain/ttl", null, ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, null, 1L << 40));
    attempt("all children", () -> zk.getAllChildrenNumber("/plain"));
    attempt("all children of a missing node", () -> zk.getAllChildrenNumber("/missing"));
    attempt("ephemerals", () -> zk.getEphemerals());
    attempt("ephemerals of a prefix", () -> zk.getEphemerals("/plain/n"));
    attempt("ephemerals of nothing", () -> zk.getEphemerals("/zookeeper"));
    attempt("multi", () -> show(zk.multi(List.of(
        Op.create("/plain/m", bytes("1"), ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
        Op.setData("/plain/m", bytes("2"), 0), Op.check("/plain/m", 1), Op.delete("/plain/m", 1))).size()));
    attempt("failed multi", () -> zk.multi(List.of(
        Op.create("/plain/m", bytes("1"), ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
        Op.delete("/missing", -1), Op.check("/plain", 7))));
    attempt("multi read", () -> {
      List<String> shown = new ArrayList<>();
      for (OpResult one : zk.multi(List.of(Op.getData("/plain"), Op.getChildren("/plain"), Op.getData("/missing"), Op.getChildren("/plain/null")))) {
        if (one instanceof OpResult.GetDataResult) shown.add(show(((OpResult.GetDataResult) one).getData()));
        else if (one instanceof OpResult.GetChildrenResult) shown.add(((OpResult.GetChildrenResult) one).getChildren().toString());
        else shown.add("error " + ((OpResult.ErrorResult) one).getErr());
      }
      return shown;
    });
    attempt("delete recursive", () -> ZKUtil.deleteRecursive(zk, "/plain", 100));
    attempt("delete the root", () -> {
      zk.delete("/", -1);
      return null;
    });
    // A second handle with this session's id and password takes the session over.
    ZooKeeper twin = new ZooKeeper(hosts, 10_000, event -> {}, zk.getSessionId(), zk.getSessionPasswd());
    attempt("twin", () -> twin.exists("/a", false) != null && twin.getSessionId() == zk.getSessionId());
    twin.close();
    zk.close();
    attempt("after close", () -> zk.exists("/a", false));
  }

  // ---- recipes

  static void locks(CuratorFramework client) throws Exception {
    section("InterProcessMutex");
    CuratorFramework other = open(null);
    InterProcessMutex mine = new InterProcessMutex(client, "/locks/mutex");
    InterProcessMutex theirs = new InterProcessMutex(other, "/locks/mutex");
    attempt("acquire", () -> mine.acquire(60, TimeUnit.SECONDS));
    attempt("acquire again", () -> mine.acquire(60, TimeUnit.SECONDS));
    attempt("other", () -> threads.submit(() -> theirs.acquire(200, TimeUnit.MILLISECONDS)).get());
    attempt("participants", () -> mine.getParticipantNodes().size());
    Future<Boolean> waiting = threads.submit(() -> {
      boolean acquired = theirs.acquire(60, TimeUnit.SECONDS);
      theirs.release();
      return acquired;
    });
    until(() -> {
      try {
        return client.getChildren().forPath("/locks/mutex").size() == 2;
      } catch (Exception error) {
        return false;
      }
    });
    mine.release();
    say("held once", mine.isOwnedByCurrentThread());
    mine.release();
    say("other got it", waiting.get());
    AtomicInteger inside = new AtomicInteger();
    AtomicInteger overlaps = new AtomicInteger();
    List<Future<?>> workers = new ArrayList<>();
    for (int n = 0; n < 6; n++) {
      InterProcessMutex mutex = new InterProcessMutex(n % 2 == 0 ? client : other, "/locks/contended");
      workers.add(threads.submit(() -> {
        for (int round = 0; round < 5; round++) {
          mutex.acquire();
          if (inside.incrementAndGet() > 1) overlaps.incrementAndGet();
          inside.decrementAndGet();
          mutex.release();
        }
        return null;
      }));
    }
    for (Future<?> worker : workers) worker.get(60, TimeUnit.SECONDS);
    say("30 turns, overlaps", overlaps.get(), client.getChildren().forPath("/locks/contended"));

    section("other locks");
    InterProcessReadWriteLock lock = new InterProcessReadWriteLock(client, "/locks/rw");
    InterProcessReadWriteLock otherLock = new InterProcessReadWriteLock(other, "/locks/rw");
    attempt("read", () -> lock.readLock().acquire(60, TimeUnit.SECONDS));
    attempt("other reads", () -> otherLock.readLock().acquire(60, TimeUnit.SECONDS));
    attempt("other writes", () -> threads.submit(() -> otherLock.writeLock().acquire(200, TimeUnit.MILLISECONDS)).get());
    lock.readLock().release();
    otherLock.readLock().release();
    attempt("write", () -> lock.writeLock().acquire(60, TimeUnit.SECONDS));
    attempt("read below the write", () -> lock.readLock().acquire(60, TimeUnit.SECONDS));
    attempt("other reads", () -> otherLock.readLock().acquire(200, TimeUnit.MILLISECONDS));
    lock.readLock().release();
    lock.writeLock().release();
    InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(client, "/locks/semaphore", 3);
    Collection<Lease> leases = semaphore.acquire(2);
    Lease third = semaphore.acquire(60, TimeUnit.SECONDS);
    say("leases", leases.size(), third != null, semaphore.acquire(200, TimeUnit.MILLISECONDS));
    semaphore.returnLease(third);
    say("again", semaphore.acquire(60, TimeUnit.SECONDS) != null, semaphore.getParticipantNodes().size());
    InterProcessSemaphoreMutex notReentrant = new InterProcessSemaphoreMutex(client, "/locks/plain");
    attempt("not reentrant", () -> notReentrant.acquire(60, TimeUnit.SECONDS));
    attempt("second", () -> notReentrant.acquire(200, TimeUnit.MILLISECONDS));
    notReentrant.release();
    InterProcessMultiLock several = new InterProcessMultiLock(client, List.of("/locks/m1", "/locks/m2"));
    attempt("several", () -> several.acquire(60, TimeUnit.SECONDS));
    several.release();
    other.close();
    // Lock parents are containers: they go when they are empty.
    say("containers went", until(() -> {
      try {
        return client.checkExists().forPath("/locks/mutex") == null && client.checkExists().forPath("/locks/contended") == null;
      } catch (Exception error) {
        return false;
      }
    }));
    client.create().withTtl(300).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath("/short-lived");
    say("ttl went", until(() -> {
      try {
        return client.checkExists().forPath("/short-lived") == null;
      } catch (Exception error) {
        return false;
      }
    }));
  }

  static void leaders(CuratorFramework client) throws Exception {
    section("LeaderLatch");
    CuratorFramework other = open(null);
    LeaderLatch first = new LeaderLatch(client, "/leaders/latch", "first");
    LeaderLatch second = new LeaderLatch(other, "/leaders/latch", "second");
    first.start();
    say("first leads", first.await(60, TimeUnit.SECONDS));
    second.start();
    say("second leads", second.await(200, TimeUnit.MILLISECONDS));
    until(() -> {
      try {
        return first.getParticipants().size() == 2;
      } catch (Exception error) {
        return false;
      }
    });
    List<String> ids = new ArrayList<>();
    for (Participant one : first.getParticipants()) ids.add(one.getId() + " " + one.isLeader());
    say("participants", sorted(ids), second.getLeader().getId());
    first.close();
    say("second leads", second.await(60, TimeUnit.SECONDS), second.getLeader().getId());
    second.close();

    section("LeaderSelector");
    List<String> led = Collections.synchronizedList(new ArrayList<>());
    CountDownLatch done = new CountDownLatch(4);
    List<LeaderSelector> selectors = new ArrayList<>();
    for (CuratorFramework one : List.of(client, other)) {
      String id = one == client ? "one" : "two";
      LeaderSelector selector = new LeaderSelector(one, "/leaders/selector", new LeaderSelectorListenerAdapter() {
        @Override
        public void takeLeadership(CuratorFramework ignored) throws Exception {
          led.add(id);
          Thread.sleep(20);
          done.countDown();
        }
      });
      selector.setId(id);
      selector.autoRequeue();
      selector.start();
      selectors.add(selector);
    }
    say("four terms", done.await(60, TimeUnit.SECONDS), new TreeSet<>(led));
    selectors.forEach(LeaderSelector::close);
    other.close();
  }

  static void caches(CuratorFramework client) throws Exception {
    section("NodeCache, PathChildrenCache, TreeCache");
    CuratorFramework other = open(null);
    BlockingQueue<String> seen = new LinkedBlockingQueue<>();
    NodeCache node = new NodeCache(client, "/caches/node");
    node.getListenable().addListener(() -> seen.add(node.getCurrentData() == null ? "gone" : show(node.getCurrentData().getData())));
    node.start(true);
    other.create().creatingParentsIfNeeded().forPath("/caches/node", bytes("1"));
    say("node", seen.poll(60, TimeUnit.SECONDS));
    other.setData().forPath("/caches/node", bytes("2"));
    say("node", seen.poll(60, TimeUnit.SECONDS));
    other.delete().forPath("/caches/node");
    say("node", seen.poll(60, TimeUnit.SECONDS));
    node.close();

    other.create().creatingParentsIfNeeded().forPath("/caches/path/before", bytes("b"));
    PathChildrenCache path = new PathChildrenCache(client, "/caches/path", true);
    path.getListenable().addListener((ignored, event) -> seen.add(event.getType() + (event.getData() == null ? "" : " " + event.getData().getPath())));
    path.start(PathChildrenCache.StartMode.POST_INITIALIZED_EVENT);
    say("path", seen.poll(60, TimeUnit.SECONDS), seen.poll(60, TimeUnit.SECONDS));
    other.create().forPath("/caches/path/x", bytes("1"));
    say("path", seen.poll(60, TimeUnit.SECONDS));
    other.setData().forPath("/caches/path/x", bytes("2"));
    say("path", seen.poll(60, TimeUnit.SECONDS), path.getCurrentData("/caches/path/x").getData());
    other.delete().forPath("/caches/path/x");
    say("path", seen.poll(60, TimeUnit.SECONDS), path.getCurrentData().size());
    path.close();

    TreeCache tree = new TreeCache(client, "/caches/tree");
    other.create().creatingParentsIfNeeded().forPath("/caches/tree/a/b", bytes("1"));
    tree.getListenable().addListener((ignored, event) -> seen.add(event.getType() + (event.getData() == null ? "" : " " + event.getData().getPath())));
    tree.start();
    tell("tree", seen, 4);
    other.setData().forPath("/caches/tree/a", bytes("2"));
    tell("tree", seen, 1);
    other.create().forPath("/caches/tree/a/c", bytes("3"));
    tell("tree", seen, 1);
    other.delete().deletingChildrenIfNeeded().forPath("/caches/tree/a");
    tell("tree", seen, 3);
    say("left", tree.getCurrentChildren("/caches/tree"));
    tree.close();

    section("CuratorCache (persistent recursive watches)");
    other.create().creatingParentsIfNeeded().forPath("/caches/new/a/b", bytes("1"));
    CuratorCache cache = CuratorCache.build(client, "/caches/new");
    CountDownLatch ready = new CountDownLatch(1);
    cache.listenable().addListener(org.apache.curator.framework.recipes.cache.CuratorCacheListener.builder().forInitialized(ready::countDown).build());
    cache.listenable().addListener((type, before, after) -> seen.add(type + " " + (after == null ? before : after).getPath()));
    cache.start();
    say("ready", ready.await(60, TimeUnit.SECONDS));
    tell("new", seen, 3);
    other.setData().forPath("/caches/new/a", bytes("2"));
    tell("new", seen, 1);
    other.create().forPath("/caches/new/a/c", bytes("3"));
    tell("new", seen, 1);
    other.create().withMode(CreateMode.EPHEMERAL).forPath("/caches/new/e", bytes("4"));
    tell("new", seen, 1);
    other.delete().deletingChildrenIfNeeded().forPath("/caches/new/a");
    tell("new", seen, 3);
    other.close();
    tell("its ephemeral went", seen, 1);
    say("size", cache.size());
    cache.close();
  }

  static void tell(String name, BlockingQueue<String> seen, int count) throws Exception {
    until(() -> seen.size() >= count);
    Thread.sleep(50); // One too many would show as well.
    List<String> events = new ArrayList<>();
    seen.drainTo(events);
    Collections.sort(events); // Several may be read at once, in any order.
    say(name, events);
  }

  static void tellInOrder(BlockingQueue<String> seen, int count) throws Exception {
    until(() -> seen.size() >= count);
    Thread.sleep(50); // One too many would show as well.
    List<String> events = new ArrayList<>();
    seen.drainTo(events);
    say("events", events);
  }

  static void counters(CuratorFramework client) throws Exception {
    section("DistributedAtomicLong and Integer, SharedCount, SharedValue");
    DistributedAtomicLong number = new DistributedAtomicLong(client, "/counters/long", new RetryNTimes(50, 5));
    attempt("get", () -> number.get());
    attempt("initialize", () -> number.initialize(10L));
    attempt("initialize", () -> number.initialize(20L));
    attempt("increment", () -> number.increment());
    attempt("add", () -> number.add(31L));
    attempt("subtract", () -> number.subtract(2L));
    attempt("compare and set", () -> number.compareAndSet(40L, 100L));
    attempt("compare and set", () -> number.compareAndSet(40L, 200L));
    attempt("force", () -> {
      number.forceSet(7L);
      return number.get();
    });
    CuratorFramework other = open(null);
    List<Callable<Integer>> tasks = new ArrayList<>();
    for (CuratorFramework one : List.of(client, other)) {
      tasks.add(() -> {
        DistributedAtomicInteger count = new DistributedAtomicInteger(one, "/counters/int", new RetryNTimes(1000, 2));
        int succeeded = 0;
        for (int n = 0; n < 25; n++) if (count.increment().succeeded()) succeeded += 1;
        return succeeded;
      });
    }
    int total = 0;
    for (Future<Integer> one : threads.invokeAll(tasks)) total += one.get();
    say("counted", total, new DistributedAtomicInteger(client, "/counters/int", new RetryOneTime(1)).get());
    CachedAtomicInteger cached = new CachedAtomicInteger(new DistributedAtomicInteger(client, "/counters/cached", new RetryOneTime(1)), 10);
    say("cached", cached.next(), cached.next());
    SharedCount count = new SharedCount(client, "/counters/shared", 3);
    count.start();
    SharedCount theirs = new SharedCount(other, "/counters/shared", 9);
    theirs.start();
    say("shared", count.getCount(), theirs.getCount());
    theirs.setCount(4);
    say("shared", until(() -> count.getCount() == 4));
    attempt("versioned", () -> count.trySetCount(count.getVersionedValue(), 5));
    SharedValue value = new SharedValue(client, "/counters/value", bytes("seed"));
    value.start();
    value.setValue(bytes("set"));
    say("value", value.getValue());
    value.close();
    count.close();
    theirs.close();
    other.close();
  }

  static void barriersAndQueues(CuratorFramework client) throws Exception {
    section("barriers and queues");
    CuratorFramework other = open(null);
    DistributedBarrier barrier = new DistributedBarrier(client, "/barriers/one");
    barrier.setBarrier();
    say("barrier", barrier.waitOnBarrier(200, TimeUnit.MILLISECONDS));
    Future<Boolean> passed = threads.submit(() -> new DistributedBarrier(other, "/barriers/one").waitOnBarrier(60, TimeUnit.SECONDS));
    barrier.removeBarrier();
    say("passed", passed.get());
    List<Callable<Boolean>> pair = new ArrayList<>();
    for (CuratorFramework one : List.of(client, other)) {
      pair.add(() -> {
        DistributedDoubleBarrier both = new DistributedDoubleBarrier(one, "/barriers/double", 2);
        return both.enter(60, TimeUnit.SECONDS) && both.leave(60, TimeUnit.SECONDS);
      });
    }
    for (Future<Boolean> one : threads.invokeAll(pair)) say("double", one.get());

    BlockingQueue<String> consumed = new LinkedBlockingQueue<>();
    QueueSerializer<String> text = new QueueSerializer<>() {
      @Override
      public byte[] serialize(String item) {
        return bytes(item);
      }

      @Override
      public String deserialize(byte[] item) {
        return new String(item, StandardCharsets.UTF_8);
      }
    };
    QueueConsumer<String> consumer = new QueueConsumer<>() {
      @Override
      public void consumeMessage(String message) {
        consumed.add(message);
      }

      @Override
      public void stateChanged(CuratorFramework ignored, ConnectionState state) {}
    };
    try (DistributedQueue<String> queue = QueueBuilder.builder(client, consumer, text, "/queues/distributed").buildQueue()) {
      queue.start();
      for (int n = 0; n < 10; n++) queue.put("item " + n);
      until(() -> consumed.size() == 10);
      say("consumed", new ArrayList<>(consumed));
    }
    SimpleDistributedQueue simple = new SimpleDistributedQueue(client, "/queues/simple");
    simple.offer(bytes("1"));
    simple.offer(bytes("2"));
    say("simple", simple.peek(), simple.poll(), simple.take(), simple.poll());
    other.close();
  }

  static void nodes(CuratorFramework client) throws Exception {
    section("PersistentNode, PersistentTtlNode, GroupMember, PersistentWatcher");
    PersistentNode node = new PersistentNode(client, CreateMode.EPHEMERAL, false, "/nodes/kept", bytes("1"));
    node.start();
    say("made", node.waitForInitialCreate(60, TimeUnit.SECONDS));
    client.delete().forPath("/nodes/kept");
    say("came back", until(() -> {
      try {
        return client.checkExists().forPath("/nodes/kept") != null;
      } catch (Exception error) {
        return false;
      }
    }));
    node.close();
    PersistentTtlNode ttl = new PersistentTtlNode(client, "/nodes/ttl", 600_000, bytes("t"));
    ttl.start();
    say("ttl node", ttl.waitForInitialCreate(60, TimeUnit.SECONDS));
    ttl.close();
    CuratorFramework other = open(null);
    GroupMember first = new GroupMember(client, "/nodes/group", "first", bytes("1"));
    GroupMember second = new GroupMember(other, "/nodes/group", "second", bytes("2"));
    first.start();
    second.start();
    say("members", until(() -> first.getCurrentMembers().size() == 2), new TreeMap<>(first.getCurrentMembers()).keySet());
    second.close();
    say("members", until(() -> first.getCurrentMembers().size() == 1));
    first.close();
    BlockingQueue<String> seen = new LinkedBlockingQueue<>();
    PersistentWatcher watcher = new PersistentWatcher(client, "/nodes/watched", true);
    watcher.getListenable().addListener(event -> seen.add(event.getType() + " " + event.getPath()));
    CountDownLatch set = new CountDownLatch(1);
    watcher.getResetListenable().addListener(set::countDown);
    watcher.start();
    set.await(60, TimeUnit.SECONDS);
    other.create().creatingParentsIfNeeded().forPath("/nodes/watched/x/y");
    tell("watched", seen, 3);
    watcher.close();
    other.close();
  }

  static void sessions(CuratorFramework client) throws Exception {
    section("the server restarts");
    List<ConnectionState> states = Collections.synchronizedList(new ArrayList<>());
    client.getConnectionStateListenable().addListener((ignored, state) -> states.add(state));
    long session = client.getZookeeperClient().getZooKeeper().getSessionId();
    client.create().withMode(CreateMode.EPHEMERAL).forPath("/survivor");
    BlockingQueue<String> seen = new LinkedBlockingQueue<>();
    Watcher watcher = event -> {
      if (event.getPath() != null) seen.add(event.getType() + " " + event.getPath());
    };
    client.getData().usingWatcher(watcher).forPath("/a");
    client.checkExists().usingWatcher(watcher).forPath("/later");
    client.getChildren().usingWatcher(watcher).forPath("/t");
    client.watchers().add().withMode(AddWatchMode.PERSISTENT_RECURSIVE).usingWatcher(watcher).forPath("/watched");
    InterProcessMutex mutex = new InterProcessMutex(client, "/locks/through-restart");
    mutex.acquire();
    LeaderLatch latch = new LeaderLatch(client, "/leaders/through-restart");
    latch.start();
    latch.await(60, TimeUnit.SECONDS);
    server("stop");
    until(() -> states.contains(ConnectionState.SUSPENDED));
    server("start");
    until(() -> states.contains(ConnectionState.RECONNECTED));
    say(states, session == client.getZookeeperClient().getZooKeeper().getSessionId());
    attempt("ephemeral survived", () -> client.checkExists().forPath("/survivor"));
    client.setData().forPath("/a", bytes("after"));
    client.create().forPath("/later");
    client.create().forPath("/t/after");
    client.create().forPath("/watched/deep");
    client.create().forPath("/watched/deep/er");
    tell("watches were set again", seen, 5);
    say("latch leads again", until(latch::hasLeadership));
    mutex.release();
    states.clear();
    server("kill");
    until(() -> states.contains(ConnectionState.SUSPENDED));
    server("start");
    until(() -> states.contains(ConnectionState.RECONNECTED));
    attempt("ephemeral survived", () -> client.checkExists().forPath("/survivor"));
    attempt("data", () -> client.getData().forPath("/a"));
    latch.close();

    section("expiry");
    states.clear();
    ZooKeeper mine = client.getZookeeperClient().getZooKeeper();
    // Curator's own way to kill a session: a twin with its id and password that closes it. The owner reconnects
    // at once and may come between: tried until it is lost.
    for (int n = 0; n < 20 && !states.contains(ConnectionState.LOST); n++) {
      CountDownLatch connected = new CountDownLatch(1);
      ZooKeeper twin = new ZooKeeper(hosts, 10_000, event -> connected.countDown(), mine.getSessionId(), mine.getSessionPasswd());
      connected.await(60, TimeUnit.SECONDS);
      twin.close();
      Thread.sleep(500);
    }
    say("lost", until(() -> states.contains(ConnectionState.LOST)));
    say("back", until(() -> states.contains(ConnectionState.RECONNECTED)));
    // A session is refused from its close on; its ephemerals go when that is on disk, before this write.
    client.setData().forPath("/a", bytes("expired"));
    attempt("ephemeral went", () -> client.checkExists().forPath("/survivor"));
    say("another session", session != client.getZookeeperClient().getZooKeeper().getSessionId());
  }
}
