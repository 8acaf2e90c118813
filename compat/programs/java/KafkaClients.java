// Tells the story with Apache Kafka's own Java client.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class KafkaClients {
    static final long TIMEOUT_MS = 20_000;
    static String bootstrap;
    static Admin admin;
    static KafkaConsumer<byte[], byte[]> member;
    static final Map<String, KafkaProducer<byte[], byte[]>> PRODUCERS = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
        Lines.answer(KafkaClients::tell);
        PRODUCERS.values().forEach(KafkaProducer::close);
        admin.close();
    }

    static Object tell(JsonNode request) throws Exception {
        String topic = request.path("topic").asText();
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        switch (request.get("do").asText()) {
            case "version":
                return Lines.version();
            case "create_topic":
                Map<String, String> configs = new HashMap<>();
                request.get("configs").properties().forEach(one -> configs.put(one.getKey(), one.getValue().asText()));
                admin.createTopics(List.of(
                    new NewTopic(topic, request.get("partitions").asInt(), (short) 1).configs(configs))).all().get();
                return null;
            case "delete_topic":
                admin.deleteTopics(List.of(topic)).all().get();
                return null;
            case "create_partitions":
                admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(request.get("total").asInt()))).all().get();
                return null;
            case "partition_counts":
                ObjectNode counts = Lines.JSON.createObjectNode();
                admin.describeTopics(admin.listTopics().names().get()).allTopicNames().get()
                    .forEach((name, found) -> counts.put(name, found.partitions().size()));
                return counts;
            case "topic_config":
                ObjectNode values = Lines.JSON.createObjectNode();
                admin.describeConfigs(List.of(resource)).all().get().get(resource).entries()
                    .forEach(entry -> values.put(entry.name(), entry.value()));
                return values;
            case "set_topic_config":
                List<AlterConfigOp> changes = new ArrayList<>();
                request.get("values").properties().forEach(value -> changes.add(new AlterConfigOp(
                    new ConfigEntry(value.getKey(), value.getValue().asText()), AlterConfigOp.OpType.SET)));
                admin.incrementalAlterConfigs(Map.of(resource, changes)).all().get();
                return null;
            case "produce":
                return produce(request, topic);
            case "transact":
                transact(request, topic);
                return null;
            case "join":
                join(request, topic);
                return null;
            case "poll":
                return poll();
            case "assigned":
                return member.assignment().stream().map(TopicPartition::partition).toList();
            case "commit":
                member.commitSync();
                return null;
            case "leave":
                member.close();
                return null;
            case "fetch":
                return fetch(request, topic);
            default:
                throw new IllegalArgumentException(request.toString());
        }
    }

    static KafkaProducer<byte[], byte[]> producer(String name, Map<String, Object> settings) {
        return PRODUCERS.computeIfAbsent(name, absent -> {
            Properties properties = new Properties();
            properties.put("bootstrap.servers", bootstrap);
            properties.put("acks", "all");
            properties.put("linger.ms", "20");
            properties.putAll(settings);
            KafkaProducer<byte[], byte[]> made =
                new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
            if (settings.containsKey("transactional.id")) {
                made.initTransactions();
            }
            return made;
        });
    }

    static Object produce(JsonNode request, String topic) throws Exception {
        String codec = request.get("codec").asText();
        boolean idempotent = request.get("idempotent").asBoolean();
        return send(producer(codec + idempotent, Map.of("compression.type", codec, "enable.idempotence", idempotent)),
            request, topic);
    }

    static List<Long> send(KafkaProducer<byte[], byte[]> producer, JsonNode request, String topic) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (JsonNode record : request.get("records")) {
            List<Header> headers = new ArrayList<>();
            for (JsonNode header : record.get("headers")) {
                headers.add(new RecordHeader(header.get(0).asText(), bytes(header.get(1))));
            }
            sent.add(producer.send(new ProducerRecord<>(topic, request.get("partition").asInt(),
                record.get("timestamp_ms").asLong(), bytes(record.get("key")), bytes(record.get("value")), headers)));
        }
        List<Long> offsets = new ArrayList<>();
        for (Future<RecordMetadata> one : sent) {
            offsets.add(one.get().offset());
        }
        return offsets;
    }

    static void transact(JsonNode request, String topic) throws Exception {
        String id = request.get("transactional_id").asText();
        KafkaProducer<byte[], byte[]> producer = producer("transactional " + id, Map.of("transactional.id", id));
        producer.beginTransaction();
        send(producer, request, topic);
        if (request.get("commit").asBoolean()) {
            producer.commitTransaction();
        } else {
            producer.abortTransaction();
        }
    }

    static void join(JsonNode request, String topic) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("group.id", request.get("group").asText());
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", "false");
        properties.put("session.timeout.ms", "6000");
        properties.put("heartbeat.interval.ms", "500");
        member = new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        member.subscribe(List.of(topic));
    }

    static Object poll() {
        ArrayNode got = Lines.JSON.createArrayNode();
        member.poll(Duration.ofMillis(100)).forEach(record ->
            got.addArray().add(record.partition()).add(record.offset()).add(text(record.value())));
        return got;
    }

    static Object fetch(JsonNode request, String topic) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("auto.offset.reset", "none");
        properties.put("isolation.level", request.get("committed").asBoolean() ? "read_committed" : "read_uncommitted");
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            TopicPartition partition = new TopicPartition(topic, request.get("partition").asInt());
            consumer.assign(List.of(partition));
            if (request.hasNonNull("timestamp_ms")) {
                long timestamp = request.get("timestamp_ms").asLong();
                consumer.seek(partition, consumer.offsetsForTimes(Map.of(partition, timestamp)).get(partition).offset());
            } else if (request.hasNonNull("offset")) {
                consumer.seek(partition, request.get("offset").asLong());
            } else {
                consumer.seekToBeginning(List.of(partition));
            }
            ArrayNode got = Lines.JSON.createArrayNode();
            long deadline = System.currentTimeMillis() + TIMEOUT_MS;
            while (got.size() < request.get("count").asInt()) {
                if (System.currentTimeMillis() > deadline) {
                    throw new IllegalStateException(got.size() + " of " + request.get("count") + " records in time");
                }
                consumer.poll(Duration.ofSeconds(1)).forEach(record -> {
                    if (got.size() < request.get("count").asInt()) {
                        ObjectNode one = got.addObject();
                        one.put("offset", record.offset());
                        one.put("timestamp_ms", record.timestamp());
                        one.put("key", text(record.key()));
                        one.put("value", text(record.value()));
                        ArrayNode headers = one.putArray("headers");
                        record.headers().forEach(header -> headers.addArray().add(header.key()).add(text(header.value())));
                    }
                });
            }
            return got;
        }
    }

    static byte[] bytes(JsonNode node) {
        return node.isNull() ? null : Base64.getDecoder().decode(node.asText());
    }

    static String text(byte[] data) {
        return data == null ? null : Base64.getEncoder().encodeToString(data);
    }
}
