// Curator's x-discovery beside @zebu/recipes/registry.
//
//   Discovery SERVERS BASE
//
// Registers java-1 of the service "api", says what it finds of zebu-1, and leaves when /go is there.

import java.util.Collection;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryOneTime;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.ServiceProvider;

public class Discovery {
  public static void main(String[] args) throws Exception {
    CuratorFramework client =
        CuratorFrameworkFactory.newClient(args[0], 30000, 10000, new RetryOneTime(100));
    client.start();
    client.blockUntilConnected();
    ServiceDiscovery<Void> discovery =
        ServiceDiscoveryBuilder.builder(Void.class).client(client).basePath(args[1]).build();
    discovery.start();
    ServiceInstance<Void> own =
        ServiceInstance.<Void>builder().name("api").id("java-1").address("10.0.0.9").port(9000).build();
    discovery.registerService(own);
    System.out.println("ready");

    ServiceInstance<Void> found = null;
    while (found == null) {
      Thread.sleep(10);
      found = discovery.queryForInstance("api", "zebu-1");
    }
    System.out.println(
        String.join(
            " ",
            "found",
            found.getId(),
            found.getAddress(),
            String.valueOf(found.getPort()),
            String.valueOf(found.getSslPort()),
            String.valueOf(found.getServiceType()),
            String.valueOf(found.isEnabled())));
    Collection<ServiceInstance<Void>> all = discovery.queryForInstances("api");
    System.out.println("instances " + all.size());

    ServiceProvider<Void> provider = discovery.serviceProviderBuilder().serviceName("api").build();
    provider.start();
    while (provider.getAllInstances().size() != 2) Thread.sleep(10);
    System.out.println("provided");

    while (client.checkExists().forPath("/go") == null) Thread.sleep(10);
    while (provider.getAllInstances().size() != 1) Thread.sleep(10);
    System.out.println("gone");
    provider.close();
    discovery.unregisterService(own);
    discovery.close();
    client.close();
    System.out.println("done");
  }
}
