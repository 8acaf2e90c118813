// Apache Kafka's consumer as one of compat/forty: what compat/forty/consumer.py is for clients that are Python.
// Arguments: HOST:PORT TOPIC GROUP PROTOCOL ASSIGNOR FILE. SIGTERM makes it leave.

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class GroupConsumer implements ConsumerRebalanceListener {
    private final FileOutputStream history;
    private final Map<Integer, Long> positions = new TreeMap<>();

    private GroupConsumer(String path) throws IOException {
        history = new FileOutputStream(path, true);
    }

    public static void main(String[] arguments) throws Exception {
        String topic = arguments[1];
        GroupConsumer told = new GroupConsumer(arguments[5]);
        Thread reader = Thread.currentThread();
        AtomicBoolean mustLeave = new AtomicBoolean();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            mustLeave.set(true);
            try {
                reader.join(20_000);
            } catch (InterruptedException interrupted) {
                reader.interrupt();
            }
        }));
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                settings(arguments), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(topic), told);
            Random patience = new Random();
            while (!mustLeave.get()) {
                told.read(consumer.poll(Duration.ofMillis(200)));
                if (!told.positions.isEmpty() && patience.nextDouble() > 0.3) {
                    told.commit(consumer, topic);
                }
            }
        } catch (Exception error) {
            told.tell("failed", ", \"" + error.toString().replaceAll("[\"\\\\\\s]+", " ") + "\"");
            throw error;
        }
        told.tell("left", "");
    }

    private static Properties settings(String[] arguments) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        properties.put("group.id", arguments[2]);
        properties.put("group.protocol", arguments[3]);
        properties.put("auto.offset.reset", "none");
        properties.put("enable.auto.commit", "false");
        properties.put("reconnect.backoff.max.ms", "200");
        properties.put("default.api.timeout.ms", "10000");
        properties.put("max.poll.records", "200");
        if (arguments[3].equals("classic")) {
            properties.put("session.timeout.ms", "6000");
            properties.put("heartbeat.interval.ms", "500");
            String assignor = arguments[4].equals("range") ? "RangeAssignor" : "CooperativeStickyAssignor";
            properties.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor);
        }
        return properties;
    }

    private void read(ConsumerRecords<byte[], byte[]> records) {
        for (TopicPartition partition : records.partitions()) {
            long first = -1;
            long last = -1;
            for (ConsumerRecord<byte[], byte[]> record : records.records(partition)) {
                if (first >= 0 && record.offset() != last + 1) {
                    tell("read", ", " + partition.partition() + ", " + first + ", " + last);
                    first = -1;
                }
                first = first < 0 ? record.offset() : first;
                last = record.offset();
            }
            tell("read", ", " + partition.partition() + ", " + first + ", " + last);
            positions.put(partition.partition(), last + 1);
        }
    }

    private void commit(KafkaConsumer<byte[], byte[]> consumer, String topic) {
        Map<Integer, Long> wanted = new HashMap<>(positions);
        tell("committing", wanted.entrySet().stream()
            .map(each -> "\"" + each.getKey() + "\": " + each.getValue()).collect(Collectors.joining(", ", ", {", "}")));
        try {
            consumer.commitSync(wanted.entrySet().stream().collect(Collectors.toMap(
                each -> new TopicPartition(topic, each.getKey()), each -> new OffsetAndMetadata(each.getValue()))));
            tell("committed", "");
            wanted.forEach(positions::remove);
        } catch (CommitFailedException | RebalanceInProgressException | RetriableException error) {
            tell("refused", ", \"" + error.getClass().getSimpleName() + "\"");
        }
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        tell("assigned", numbers(partitions));
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        partitions.forEach(each -> positions.remove(each.partition()));
        tell("revoked", numbers(partitions));
    }

    private static String numbers(Collection<TopicPartition> partitions) {
        return partitions.stream().map(each -> String.valueOf(each.partition()))
            .collect(Collectors.joining(", ", ", [", "]"));
    }

    private void tell(String kind, String content) {
        try {
            String line = "[\"" + kind + "\", " + System.nanoTime() / 1e9 + content + "]\n";
            history.write(line.getBytes(StandardCharsets.UTF_8));
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
