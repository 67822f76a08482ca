// Takes turns at a lock, or leads terms of an election, with Curator: see test/recipes/shared-paths.interop.test.ts.
//
// Usage: Contender.java SERVERS lock|election|latch PATH WHO ROUNDS

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.retry.RetryOneTime;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.data.Stat;

public class Contender {
    private static CuratorFramework client;
    private static String path;
    private static String who;

    public static void main(String[] args) throws Exception {
        path = args[2];
        who = args[3];
        int rounds = Integer.parseInt(args[4]);
        client = CuratorFrameworkFactory.newClient(args[0], 30_000, 30_000, new RetryOneTime(100));
        client.start();
        client.blockUntilConnected();
        System.out.println("ready");
        while (client.checkExists().forPath("/go") == null) Thread.sleep(10);
        switch (args[1]) {
            case "lock" -> lock(rounds);
            case "election" -> election(rounds);
            default -> latch(rounds);
        }
        client.close();
        System.out.println("done");
        System.exit(0);
    }

    private static void lock(int rounds) throws Exception {
        InterProcessMutex mutex = new InterProcessMutex(client, path);
        for (int i = 0; i < rounds; i++) {
            mutex.acquire();
            try {
                turn();
            } finally {
                mutex.release();
            }
        }
    }

    private static void election(int rounds) throws Exception {
        CountDownLatch left = new CountDownLatch(rounds);
        AtomicReference<Exception> failure = new AtomicReference<>();
        LeaderSelector selector = new LeaderSelector(client, path, new LeaderSelectorListenerAdapter() {
            @Override
            public void takeLeadership(CuratorFramework client) {
                if (left.getCount() == 0) return;
                try {
                    turn();
                } catch (Exception e) {
                    failure.set(e);
                }
                left.countDown();
            }
        });
        selector.setId(who);
        selector.autoRequeue();
        selector.start();
        left.await();
        selector.close();
        if (failure.get() != null) throw failure.get();
    }

    private static void latch(int rounds) throws Exception {
        for (int i = 0; i < rounds; i++) {
            try (LeaderLatch latch = new LeaderLatch(client, path, who)) {
                latch.start();
                latch.await();
                turn();
            }
        }
    }

    private static void turn() throws Exception {
        int first = Integer.MAX_VALUE;
        for (String name : client.getChildren().forPath(path)) {
            first = Math.min(first, Integer.parseInt(name.substring(name.length() - 10)));
        }
        Stat stat = new Stat();
        int count = Integer.parseInt(new String(client.getData().storingStatIn(stat).forPath("/counter")));
        // Whoever else is in here makes this fail.
        client.setData().withVersion(stat.getVersion()).forPath("/counter", Integer.toString(count + 1).getBytes());
        client.create().withMode(CreateMode.PERSISTENT_SEQUENTIAL).forPath("/turns/t-", (who + " " + first).getBytes());
    }
}
