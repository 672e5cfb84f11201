import org.apache.bookkeeper.conf.ServerConfiguration;
import org.apache.pulsar.zookeeper.LocalBookkeeperEnsemble;

/** A ZooKeeper and a bookie on loopback, for brokers of their own: ZOOKEEPER-PORT BOOKIE-PORT DIRECTORY. Runs until it is killed. */
public class PulsarStorage {
  public static void main(String[] args) throws Exception {
    ServerConfiguration bookie = new ServerConfiguration();
    bookie.setListeningInterface("lo");
    bookie.setAllowLoopback(true);
    LocalBookkeeperEnsemble storage =
        new LocalBookkeeperEnsemble(
            1,
            Integer.parseInt(args[0]),
            Integer.parseInt(args[1]),
            0,
            args[2] + "/zookeeper",
            args[2] + "/bookie",
            false,
            "127.0.0.1");
    storage.startStandalone(bookie, false);
    System.out.println("storage is ready");
    Thread.currentThread().join();
  }
}
