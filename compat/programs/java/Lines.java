// The part of a program that all Java programs share: one JSON request a line on stdin, one JSON answer a line on stdout,
// see ../README.md. Jackson comes with Kafka's jars.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Properties;

class Lines {
    static final ObjectMapper JSON = new ObjectMapper();

    interface Teller {
        Object tell(JsonNode request) throws Exception;
    }

    /** The version of Kafka's client. */
    static String version() throws Exception {
        Properties about = new Properties();
        about.load(Lines.class.getResourceAsStream("/kafka/kafka-version.properties"));
        return about.getProperty("version");
    }

    /** Answers the lines of stdin until they end. */
    static void answer(Teller teller) throws Exception {
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            ObjectNode answer = JSON.createObjectNode();
            try {
                answer.set("result", JSON.valueToTree(teller.tell(JSON.readTree(line))));
            } catch (Exception error) {
                answer.put("error", String.valueOf(error.getCause() == null ? error : error.getCause()));
            }
            System.out.println(JSON.writeValueAsString(answer));
            System.out.flush();
        }
    }
}
