// What Apache's own parser makes of config texts: one text a line on standard input, in base64; one line of answer for
// each on standard output, "@@ ok <the config printed again, in base64>" or "@@ no <exception>".

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Properties;
import org.apache.zookeeper.server.quorum.QuorumPeerConfig;
import org.apache.zookeeper.server.quorum.flexible.QuorumVerifier;

public class ConfigText {
  public static void main(String[] args) throws Exception {
    QuorumPeerConfig.setStandaloneEnabled(false);
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String text = new String(Base64.getDecoder().decode(line), StandardCharsets.UTF_8);
      try {
        // As QuorumPeer.configFromString.
        Properties properties = new Properties();
        properties.load(new StringReader(text));
        QuorumVerifier config = QuorumPeerConfig.parseDynamicConfig(properties, 3, false, false, null);
        byte[] printed = config.toString().getBytes(StandardCharsets.UTF_8);
        System.out.println("@@ ok " + Base64.getEncoder().encodeToString(printed));
      } catch (Throwable problem) {
        System.out.println("@@ no " + problem.getClass().getName());
      }
    }
  }
}
