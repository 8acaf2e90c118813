import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Kafka's own consumer of KIP-848 as a process: what consumer_process.py is for librdkafka.
 * Arguments: HOST:PORT, KEY=VALUE settings joined by ";", topics; one that begins with "^" is a pattern.
 */
public class ConsumerProcess {
    public static void main(String[] arguments) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        properties.put("group.protocol", "consumer");
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", "false");
        properties.put("reconnect.backoff.max.ms", "200");
        properties.put("default.api.timeout.ms", "10000");
        for (String pair : arguments[1].split(";")) {
            properties.put(pair.substring(0, pair.indexOf('=')), pair.substring(pair.indexOf('=') + 1));
        }
        AtomicBoolean mustClose = new AtomicBoolean();
        Thread closer = new Thread(() -> {
            try {
                System.in.read();
                mustClose.set(true);
            } catch (java.io.IOException error) {
                throw new java.io.UncheckedIOException(error);
            }
        });
        closer.setDaemon(true);
        closer.start();
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            if (arguments[2].startsWith("^")) {
                consumer.subscribe(new SubscriptionPattern(arguments[2]));
            } else {
                consumer.subscribe(Arrays.asList(arguments).subList(2, arguments.length));
            }
            Set<String> shown = null;
            List<String> uncommitted = new ArrayList<>();
            while (!mustClose.get()) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    uncommitted.add(
                        String.format("[\"%s\", %d, %d]", record.topic(), record.partition(), record.offset()));
                }
                Set<String> assigned = consumer.assignment().stream()
                    .map(each -> String.format("[\"%s\", %d]", each.topic(), each.partition()))
                    .collect(Collectors.toCollection(TreeSet::new));
                if (!assigned.equals(shown)) {
                    shown = assigned;
                    tell("assigned", assigned);
                }
                if (!uncommitted.isEmpty()) {
                    try {
                        consumer.commitSync();
                    } catch (KafkaException error) {
                        continue; // the server is away, or the epoch is over
                    }
                    tell("got", uncommitted);
                    uncommitted.clear();
                }
            }
        }
    }

    private static void tell(String what, Iterable<String> content) {
        System.out.println("[\"" + what + "\", [" + String.join(", ", content) + "]]");
        System.out.flush();
    }
}
