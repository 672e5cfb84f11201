import java.net.URI;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.UnsupportedCallbackException;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerTokenCallback;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallback;

/**
 * What Amazon MSK does with the token of a login by IAM, for one user: the token is a presigned request for kafka-cluster:Connect
 * (AWS Signature Version 4), good until it expires. The user, key and region stand in the JAAS configuration of the listener.
 */
public final class MskTokens implements AuthenticateCallbackHandler {
  private static final DateTimeFormatter DATE = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmssX").withZone(ZoneOffset.UTC);

  private Map<String, ?> options;

  @Override
  public void configure(Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> jaas) {
    options = jaas.get(0).getOptions();
  }

  @Override
  public void handle(Callback[] callbacks) throws UnsupportedCallbackException {
    for (Callback callback : callbacks) {
      if (callback instanceof OAuthBearerTokenCallback login) {
        login.token(new Token("", Instant.now().plusSeconds(86_400).toEpochMilli()));
      } else if (callback instanceof OAuthBearerValidatorCallback validator) {
        try {
          validator.token(new Token(validator.tokenValue(), expiry(validator.tokenValue())));
        } catch (Exception e) {
          System.out.println("token refused: " + e.getMessage());
          validator.error("invalid_token", null, null);
        }
      } else {
        throw new UnsupportedCallbackException(callback);
      }
    }
  }

  /** When the token ends, milliseconds. */
  private long expiry(String token) throws Exception {
    String region = option("region");
    URI uri = URI.create(new String(Base64.getUrlDecoder().decode(token), StandardCharsets.UTF_8));
    check(uri.getScheme().equals("https") && uri.getPath().equals("/"), uri.toString());
    check(uri.getHost().equals("kafka." + region + ".amazonaws.com"), "host " + uri.getHost());
    Map<String, String> query = new TreeMap<>();
    for (String pair : uri.getRawQuery().split("&")) {
      String[] parts = pair.split("=", 2);
      query.put(decoded(parts[0]), decoded(parts[1]));
    }
    String signature = query.remove("X-Amz-Signature");
    query.remove("User-Agent");
    check(query.get("Action").equals("kafka-cluster:Connect"), "action");
    check(query.get("X-Amz-SignedHeaders").equals("host"), "signed headers");
    check(query.getOrDefault("X-Amz-Security-Token", "").equals(option("sessionToken")), "session token");
    String date = query.get("X-Amz-Date");
    String scope = date.substring(0, 8) + "/" + region + "/kafka-cluster/aws4_request";
    check(query.get("X-Amz-Credential").equals(option("accessKeyId") + "/" + scope), "credential");
    StringBuilder canonical = new StringBuilder("GET\n/\n");
    String and = "";
    for (Map.Entry<String, String> one : query.entrySet()) {
      canonical.append(and).append(encoded(one.getKey())).append('=').append(encoded(one.getValue()));
      and = "&";
    }
    canonical.append("\nhost:").append(uri.getHost()).append("\n\nhost\n").append(sha256(""));
    String toSign = "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + sha256(canonical.toString());
    byte[] key = ("AWS4" + option("secretAccessKey")).getBytes(StandardCharsets.UTF_8);
    for (String part : scope.split("/")) key = hmac(key, part);
    check(HexFormat.of().formatHex(hmac(key, toSign)).equals(signature), "signature");
    long start = Instant.from(DATE.parse(date)).toEpochMilli();
    long end = start + 1000 * Long.parseLong(query.get("X-Amz-Expires"));
    check(end - start <= 900_000 && end > System.currentTimeMillis(), "expired");
    return end;
  }

  private String option(String name) {
    Object value = options.get(name);
    return value == null ? "" : value.toString();
  }

  private static void check(boolean holds, String what) {
    if (!holds) throw new IllegalArgumentException(what);
  }

  private static String decoded(String text) {
    return URLDecoder.decode(text, StandardCharsets.UTF_8);
  }

  private static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20").replace("*", "%2A").replace("%7E", "~");
  }

  private static String sha256(String text) throws Exception {
    byte[] hash = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
    return HexFormat.of().formatHex(hash);
  }

  private static byte[] hmac(byte[] key, String text) throws Exception {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
  }

  @Override
  public void close() {}

  private record Token(String value, long lifetimeMs) implements OAuthBearerToken {
    @Override
    public Set<String> scope() {
      return Set.of();
    }

    @Override
    public String principalName() {
      return "iam";
    }

    @Override
    public Long startTimeMs() {
      return null;
    }
  }
}
