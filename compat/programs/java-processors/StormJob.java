// Numbers of a topic into another, doubled, by Storm in this JVM: its spout, and its bolt that produces.
// StormJob HOST:PORT SOURCE TARGET COUNT FOLDER ends once COUNT numbers were acknowledged and the spout committed them.

import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.storm.Config;
import org.apache.storm.LocalCluster;
import org.apache.storm.kafka.bolt.KafkaBolt;
import org.apache.storm.kafka.bolt.mapper.FieldNameBasedTupleToKafkaMapper;
import org.apache.storm.kafka.bolt.selector.DefaultTopicSelector;
import org.apache.storm.kafka.spout.FirstPollOffsetStrategy;
import org.apache.storm.kafka.spout.KafkaSpout;
import org.apache.storm.kafka.spout.KafkaSpoutConfig;
import org.apache.storm.topology.BasicOutputCollector;
import org.apache.storm.topology.OutputFieldsDeclarer;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.topology.base.BaseBasicBolt;
import org.apache.storm.tuple.Fields;
import org.apache.storm.tuple.Tuple;
import org.apache.storm.tuple.Values;

public class StormJob {
    static final long TIMEOUT_MS = 200_000;

    static class Doubling extends BaseBasicBolt {
        @Override
        public void execute(Tuple number, BasicOutputCollector collector) {
            collector.emit(new Values("", String.valueOf(2 * Long.parseLong(number.getStringByField("value")))));
        }

        @Override
        public void declareOutputFields(OutputFieldsDeclarer declarer) {
            declarer.declare(new Fields("key", "message"));
        }
    }

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        long count = Long.parseLong(arguments[3]);
        String group = arguments[1] + "-storm";

        KafkaSpoutConfig<String, String> reading = KafkaSpoutConfig.builder(bootstrap, arguments[1])
                .setProp("group.id", group)
                .setFirstPollOffsetStrategy(FirstPollOffsetStrategy.EARLIEST)
                .setOffsetCommitPeriodMs(500)
                .build();
        Properties producing = new Properties();
        producing.put("bootstrap.servers", bootstrap);
        producing.put("acks", "all");
        producing.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        producing.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        TopologyBuilder topology = new TopologyBuilder();
        topology.setSpout("numbers", new KafkaSpout<>(reading));
        topology.setBolt("doubling", new Doubling()).shuffleGrouping("numbers");
        topology.setBolt("writing", new KafkaBolt<String, String>()
                .withProducerProperties(producing)
                .withTopicSelector(new DefaultTopicSelector(arguments[2]))
                .withTupleToKafkaMapper(new FieldNameBasedTupleToKafkaMapper<>())).shuffleGrouping("doubling");

        System.setProperty("storm.local.dir", arguments[4]);
        try (LocalCluster cluster = new LocalCluster(); Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            Config settings = new Config();
            settings.setNumWorkers(1);
            settings.setMaxSpoutPending(500);
            cluster.submitTopology("doubling", settings, topology.createTopology());
            long deadline = System.currentTimeMillis() + TIMEOUT_MS;
            while (committed(admin, group, arguments[1]) < count) {
                if (System.currentTimeMillis() > deadline) {
                    throw new IllegalStateException("the spout has committed " + committed(admin, group, arguments[1]));
                }
                Thread.sleep(200);
            }
        }
        System.out.println("done");
        System.exit(0);
    }

    /** The sum of the group's positions in all partitions of the topic. */
    static long committed(Admin admin, String group, String topic) throws Exception {
        Map<TopicPartition, OffsetAndMetadata> positions =
                admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        return positions.entrySet().stream()
                .filter(each -> each.getKey().topic().equals(topic) && each.getValue() != null)
                .mapToLong(each -> each.getValue().offset())
                .sum();
    }
}
