// How long Apache Kafka's consumer takes from its making to the first record, in a group that never was: for
// benchmarks/parts/group_first_record.py. Arguments: HOST:PORT TOPIC PROTOCOL COUNT; prints a line of ms for each.

import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.UUID;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class FirstRecord {
    public static void main(String[] arguments) {
        for (int number = 0; number < Integer.parseInt(arguments[3]); number++) {
            Properties properties = new Properties();
            properties.put("bootstrap.servers", arguments[0]);
            properties.put("group.id", "bench-" + UUID.randomUUID());
            properties.put("group.protocol", arguments[2]);
            properties.put("auto.offset.reset", "earliest");
            long began = System.nanoTime();
            try (KafkaConsumer<byte[], byte[]> consumer =
                    new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
                consumer.subscribe(List.of(arguments[1]));
                while (consumer.poll(Duration.ofSeconds(1)).isEmpty()) {
                    if (System.nanoTime() - began > 60_000_000_000L) {
                        throw new IllegalStateException("no record came");
                    }
                }
                System.out.println((System.nanoTime() - began) / 1e6);
            }
        }
    }
}
