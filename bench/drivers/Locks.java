// Contenders for one lock, with Curator: see bench/locks.ts.
//
// Usage: Locks.java SERVERS PATH CONTENDERS SECONDS; prints how often the lock was had in that time.

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.retry.RetryOneTime;

public class Locks {
    private static volatile boolean isOver = false;

    public static void main(String[] args) throws Exception {
        int contenders = Integer.parseInt(args[2]);
        AtomicLong count = new AtomicLong();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < contenders; i++) {
            CuratorFramework client =
                    CuratorFrameworkFactory.newClient(args[0], 30_000, 30_000, new RetryOneTime(100));
            client.start();
            client.blockUntilConnected();
            threads.add(new Thread(() -> contend(new InterProcessMutex(client, args[1]), count)));
        }
        threads.forEach(Thread::start);
        // Java compiles meanwhile.
        Thread.sleep(3000);
        long before = count.get();
        long started = System.nanoTime();
        Thread.sleep((long) (Double.parseDouble(args[3]) * 1000));
        System.out.println((count.get() - before) / ((System.nanoTime() - started) / 1e9));
        isOver = true;
        for (Thread thread : threads) thread.join(10_000);
        System.exit(0);
    }

    private static void contend(InterProcessMutex mutex, AtomicLong count) {
        try {
            while (!isOver) {
                mutex.acquire();
                count.incrementAndGet();
                mutex.release();
            }
        } catch (Exception e) {
            e.printStackTrace();
            System.exit(1);
        }
    }
}
