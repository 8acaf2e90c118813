// Counts words exactly once, with Kafka Streams; ../README.md says what it owes.
// WordCount HOST:PORT LINES COUNTS APPLICATION STATE_FOLDER

import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueStore;

public class WordCount {
    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        settings.putAll(Map.of(
            "bootstrap.servers", arguments[0],
            "application.id", arguments[3],
            "state.dir", arguments[4],
            "processing.guarantee", "exactly_once_v2",
            "num.standby.replicas", "1",
            "statestore.cache.max.bytes", "0", // each update comes out: the counts of a word are 1, 2, 3...
            "commit.interval.ms", "100",
            "replication.factor", "1"));
        settings.putAll(Map.of(
            "consumer.auto.offset.reset", "earliest",
            "consumer.session.timeout.ms", "6000",
            "consumer.heartbeat.interval.ms", "500",
            "producer.transaction.timeout.ms", "10000",
            "reconnect.backoff.max.ms", "200"));

        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(arguments[1], Consumed.with(Serdes.String(), Serdes.String()))
            .flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
            .count(Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("counts")
                .withKeySerde(Serdes.String()).withValueSerde(Serdes.Long()))
            .toStream()
            .mapValues(String::valueOf)
            .to(arguments[2], Produced.with(Serdes.String(), Serdes.String()));

        KafkaStreams streams = new KafkaStreams(builder.build(settings), settings);
        // What cannot go on ends; whoever started it starts another one.
        streams.setUncaughtExceptionHandler(error -> {
            System.out.println("failed: " + error);
            Runtime.getRuntime().halt(1);
            return null;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(20))));
        streams.start();
        while (true) {
            long active = streams.metadataForLocalThreads().stream().mapToLong(each -> each.activeTasks().size()).sum();
            long standby = streams.metadataForLocalThreads().stream().mapToLong(each -> each.standbyTasks().size()).sum();
            System.out.println("tasks " + active + " " + standby + " " + streams.state());
            Thread.sleep(500);
        }
    }
}
