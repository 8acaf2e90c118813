// Doubles numbers exactly once, with Apache Kafka's own Java client; ../README.md says what it owes.

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Transform {
    static final Duration POLL = Duration.ofMillis(200);

    public static void main(String[] arguments) {
        String bootstrap = arguments[0], source = arguments[1], target = arguments[2], group = arguments[3];
        String id = arguments[4];
        Map<String, Object> reading = new HashMap<>(Map.of(
            "bootstrap.servers", bootstrap,
            "group.id", group,
            "group.instance.id", id,
            "isolation.level", "read_committed",
            "auto.offset.reset", "earliest",
            "enable.auto.commit", "false",
            "max.poll.records", "25",
            "session.timeout.ms", "6000",
            "heartbeat.interval.ms", "500"));
        Map<String, Object> writing = new HashMap<>(Map.of(
            "bootstrap.servers", bootstrap,
            "transactional.id", id,
            "transaction.timeout.ms", "10000"));
        for (Map<String, Object> each : List.of(reading, writing)) {
            each.put("reconnect.backoff.max.ms", "200");
        }
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(writing, new StringSerializer(), new StringSerializer());
             KafkaConsumer<String, String> consumer =
                new KafkaConsumer<>(reading, new StringDeserializer(), new StringDeserializer())) {
            producer.initTransactions();
            consumer.subscribe(List.of(source));
            while (true) {
                transform(consumer, producer, target);
            }
        } catch (KafkaException error) {
            // What cannot go on ends; whoever started it starts another one, which fences this one.
            System.out.println("failed: " + error);
            System.exit(1);
        }
    }

    /** Takes what has come and writes it, doubled, in one transaction with the positions. */
    static void transform(
            KafkaConsumer<String, String> consumer, KafkaProducer<String, String> producer, String target) {
        ConsumerRecords<String, String> records = consumer.poll(POLL);
        if (records.isEmpty()) {
            return;
        }
        producer.beginTransaction();
        try {
            for (ConsumerRecord<String, String> record : records) {
                String doubled = String.valueOf(2 * Integer.parseInt(record.value()));
                producer.send(new ProducerRecord<>(target, record.partition(), null, doubled));
            }
            producer.sendOffsetsToTransaction(records.nextOffsets(), consumer.groupMetadata());
            commit(producer);
            System.out.println("committed " + records.count());
        } catch (KafkaException error) {
            System.out.println("aborted: " + error);
            producer.abortTransaction(); // raises where only a new producer can go on
            goBack(consumer);
        }
    }

    static void commit(KafkaProducer<String, String> producer) {
        while (true) {
            try {
                producer.commitTransaction();
                return;
            } catch (TimeoutException late) {
                System.out.println("commit again: " + late);
            }
        }
    }

    /** To what was committed last: what the aborted transaction has read is to be read again. */
    static void goBack(KafkaConsumer<String, String> consumer) {
        Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(consumer.assignment());
        for (TopicPartition partition : consumer.assignment()) {
            OffsetAndMetadata position = committed.get(partition);
            if (position == null) {
                consumer.seekToBeginning(List.of(partition));
            } else {
                consumer.seek(partition, position.offset());
            }
        }
    }
}
