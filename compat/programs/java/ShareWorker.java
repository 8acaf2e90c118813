import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Kafka's own share consumer as a process: what compat/share_workers/confluent_worker.py is for librdkafka.
 * With -Dshare.workers=N it is N of them, each with its own thread and connections.
 * Arguments: HOST:PORT, KEY=VALUE settings joined by ";", topics.
 */
public class ShareWorker implements Runnable {
    private static final AtomicBoolean mustClose = new AtomicBoolean();

    private final Set<String> renewed = new HashSet<>();
    private final Properties properties;
    private final List<String> topics;

    private ShareWorker(Properties properties, List<String> topics) {
        this.properties = properties;
        this.topics = topics;
    }

    public static void main(String[] arguments) throws InterruptedException {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        properties.put("share.acknowledgement.mode", "explicit");
        properties.put("reconnect.backoff.max.ms", "200");
        properties.put("default.api.timeout.ms", "10000");
        for (String pair : arguments[1].split(";")) {
            properties.put(pair.substring(0, pair.indexOf('=')), pair.substring(pair.indexOf('=') + 1));
        }
        List<String> topics = Arrays.asList(arguments).subList(2, arguments.length);
        List<Thread> workers = new ArrayList<>();
        for (int number = 0; number < Integer.getInteger("share.workers", 1); number++) {
            Thread worker = new Thread(new ShareWorker(properties, topics));
            worker.setUncaughtExceptionHandler((thread, error) -> {
                error.printStackTrace();
                Runtime.getRuntime().halt(1);
            });
            worker.start();
            workers.add(worker);
        }
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
        for (Thread worker : workers) {
            worker.join();
        }
    }

    @Override
    public void run() {
        boolean isExplicit = properties.get("share.acknowledgement.mode").equals("explicit");
        try (KafkaShareConsumer<byte[], byte[]> consumer =
                new KafkaShareConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(topics);
            while (!mustClose.get()) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
                StringBuilder told = new StringBuilder();
                for (ConsumerRecord<byte[], byte[]> record : records) {
                    told.append(line("got", record));
                    if (isExplicit) {
                        consumer.acknowledge(record, kind(record));
                    }
                }
                if (told.length() == 0) {
                    continue;
                }
                System.out.print(told);
                System.out.flush();
                if (settled(consumer.commitSync())) {
                    told.setLength(0);
                    for (ConsumerRecord<byte[], byte[]> record : records) {
                        AcknowledgeType kind = isExplicit ? kind(record) : AcknowledgeType.ACCEPT;
                        told.append(line(kind.toString(), record));
                        if (kind == AcknowledgeType.RENEW) {
                            renewed.add(place(record));
                        }
                    }
                    System.out.print(told);
                    System.out.flush();
                }
            }
        }
    }

    private static boolean settled(Map<TopicIdPartition, Optional<KafkaException>> results) {
        for (Optional<KafkaException> error : results.values()) {
            if (error.isPresent()) {
                System.err.println(error.get());
                return false;
            }
        }
        return true;
    }

    /** What the value asks for; a record that was renewed comes once more. */
    private AcknowledgeType kind(ConsumerRecord<byte[], byte[]> record) {
        String value = new String(record.value(), StandardCharsets.UTF_8);
        if (value.startsWith("reject")) {
            return AcknowledgeType.REJECT;
        }
        if (value.startsWith("release") && record.deliveryCount().orElse((short) 1) == 1) {
            return AcknowledgeType.RELEASE;
        }
        if (value.startsWith("renew") && !renewed.contains(place(record))) {
            return AcknowledgeType.RENEW;
        }
        return AcknowledgeType.ACCEPT;
    }

    private static String place(ConsumerRecord<byte[], byte[]> record) {
        return record.partition() + ":" + record.offset();
    }

    private static String line(String what, ConsumerRecord<byte[], byte[]> record) {
        return String.format("[\"%s\", %d, %d, %d, \"%s\", %d]%n", what, record.partition(), record.offset(),
            record.deliveryCount().orElse((short) 0), new String(record.value(), StandardCharsets.UTF_8),
            System.currentTimeMillis());
    }
}
