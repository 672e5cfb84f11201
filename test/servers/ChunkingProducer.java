import java.nio.charset.StandardCharsets;
import org.apache.pulsar.client.api.CompressionType;
import org.apache.pulsar.client.api.Producer;
import org.apache.pulsar.client.api.PulsarClient;

/** Pulsar's own client for Java as a producer that chunks: URL TOPIC COMPRESSION BYTES-OF-A-CHUNK NUMBER PADDING. Sends {"n":i,"pad":"…"}. */
public class ChunkingProducer {
  public static void main(String[] args) throws Exception {
    try (PulsarClient client = PulsarClient.builder().serviceUrl(args[0]).build();
        Producer<byte[]> producer =
            client
                .newProducer()
                .topic(args[1])
                .compressionType(CompressionType.valueOf(args[2]))
                .enableBatching(false)
                .enableChunking(true)
                .chunkMaxMessageSize(Integer.parseInt(args[3]))
                .create()) {
      StringBuilder pad = new StringBuilder();
      for (int i = 0; pad.length() < Integer.parseInt(args[5]); i++) pad.append(i).append(' ');
      for (int i = 0; i < Integer.parseInt(args[4]); i++) {
        String text = "{\"n\":" + i + ",\"pad\":\"" + pad + "\"}";
        producer.newMessage().key("k" + i).value(text.getBytes(StandardCharsets.UTF_8)).sendAsync();
      }
      producer.flush();
    }
  }
}
