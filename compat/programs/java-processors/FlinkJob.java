// Numbers of a topic into another, doubled, by Flink in this JVM with a sink that is exactly once: it commits a
// transaction with each checkpoint. The job fails once on its way, and goes on from its last checkpoint.
// FlinkJob HOST:PORT SOURCE TARGET COUNT FOLDER ends once COUNT numbers went through.

import java.io.File;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

public class FlinkJob {
    /** Fails when half is through, unless it did so before: FOLDER tells. */
    static class Doubling extends RichMapFunction<String, String> {
        private final String failed;
        private final int when;
        private int seen;

        Doubling(String failed, int when) {
            this.failed = failed;
            this.when = when;
        }

        @Override
        public String map(String number) throws Exception {
            Thread.sleep(1); // so that there are checkpoints on the way
            seen++;
            if (seen == when && new File(failed).createNewFile()) {
                throw new IllegalStateException("the failure that was asked for");
            }
            return String.valueOf(2 * Long.parseLong(number));
        }
    }

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        int count = Integer.parseInt(arguments[3]);
        File folder = new File(arguments[4]);

        Configuration settings = new Configuration();
        settings.setString("restart-strategy.type", "fixed-delay");
        settings.setString("restart-strategy.fixed-delay.attempts", "10");
        settings.setString("restart-strategy.fixed-delay.delay", "200 ms");
        settings.setString("execution.checkpointing.storage", "filesystem");
        settings.setString("execution.checkpointing.dir", new File(folder, "checkpoints").toURI().toString());
        settings.setString("rest.port", "0");
        StreamExecutionEnvironment flink = StreamExecutionEnvironment.createLocalEnvironment(2, settings);
        flink.enableCheckpointing(200);

        KafkaSource<String> source = KafkaSource.<String>builder()
                .setBootstrapServers(bootstrap)
                .setTopics(arguments[1])
                .setGroupId(arguments[1] + "-flink")
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setBounded(OffsetsInitializer.latest())
                .setValueOnlyDeserializer(new SimpleStringSchema())
                .build();
        Properties producer = new Properties();
        producer.setProperty("transaction.timeout.ms", "60000");
        KafkaSink<String> sink = KafkaSink.<String>builder()
                .setBootstrapServers(bootstrap)
                .setKafkaProducerConfig(producer)
                .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                .setTransactionalIdPrefix(arguments[2] + "-flink")
                .setRecordSerializer(KafkaRecordSerializationSchema.<String>builder()
                        .setTopic(arguments[2])
                        .setValueSerializationSchema(new SimpleStringSchema())
                        .build())
                .build();
        String failed = new File(folder, "failed").getPath();
        flink.fromSource(source, WatermarkStrategy.noWatermarks(), "numbers")
                .map(new Doubling(failed, count / 4))
                .sinkTo(sink);
        flink.execute("doubling");
        System.out.println("failed once: " + new File(failed).exists());
    }
}
