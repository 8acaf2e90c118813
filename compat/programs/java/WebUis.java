// The calls of the Java AdminClient by which AKHQ and Kafbat UI show and change a cluster, with the options that they use.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;

@SuppressWarnings("removal")
public class WebUis {
    static Admin admin;

    public static void main(String[] arguments) throws Exception {
        admin = Admin.create(Map.of("bootstrap.servers", arguments[0], "client.id", "web-ui"));
        Lines.answer(WebUis::tell);
        admin.close();
    }

    static Object tell(JsonNode request) throws Exception {
        String topic = request.path("topic").asText();
        String group = request.path("group").asText();
        TopicPartition partition = new TopicPartition(topic, request.path("partition").asInt());
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        switch (request.get("do").asText()) {
            case "version":
                return "AdminClient " + Lines.version();
            case "cluster":
                return cluster(request.get("authorized").asBoolean());
            case "features":
                ObjectNode features = Lines.JSON.createObjectNode();
                admin.describeFeatures().featureMetadata().get().finalizedFeatures()
                    .forEach((name, range) -> features.put(name, (int) range.maxVersionLevel()));
                return features;
            case "quorum":
                return admin.describeMetadataQuorum().quorumInfo().get().voters().size();
            case "topics":
                return new ArrayList<>(admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get());
            case "create_topic":
                NewTopic wanted = new NewTopic(topic, request.get("partitions").asInt(), (short) 1);
                admin.createTopics(List.of(wanted.configs(Map.of("retention.ms", "60000")))).all().get();
                return null;
            case "create_partitions":
                admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(request.get("total").asInt()))).all().get();
                return null;
            case "describe_topic":
                return admin.describeTopics(List.of(topic)).topicNameValues().get(topic).get().partitions().stream()
                    .map(one -> List.of(one.partition(), one.leader().id(), one.replicas().size(), one.isr().size()))
                    .toList();
            case "log_dirs":
                return logDirs(topic);
            case "topic_configs":
                return configs(resource, request.get("documented").asBoolean());
            case "broker_configs":
                return configs(new ConfigResource(ConfigResource.Type.BROKER, brokers().get(0).toString()), false);
            case "alter_topic_config":
                ConfigEntry entry = new ConfigEntry(request.get("name").asText(), request.get("value").asText());
                admin.incrementalAlterConfigs(
                    Map.of(resource, List.of(new AlterConfigOp(entry, AlterConfigOp.OpType.SET)))).all().get();
                return null;
            case "offsets":
                return List.of(
                    offset(partition, OffsetSpec.earliest()), offset(partition, OffsetSpec.latest()),
                    offset(partition, OffsetSpec.forTimestamp(request.get("timestamp_ms").asLong())));
            case "delete_records":
                return admin.deleteRecords(
                    Map.of(partition, RecordsToDelete.beforeOffset(request.get("offset").asLong())))
                    .lowWatermarks().get(partition).get().lowWatermark();
            case "producers":
                return admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers().size();
            case "groups": // by the call that both still use, though it goes away
                return admin.listConsumerGroups().all().get().stream().map(one -> one.groupId()).toList();
            case "describe_group":
                return described(admin.describeConsumerGroups(List.of(group)).all().get().get(group));
            case "group_offsets":
                return committed(group);
            case "alter_group_offset":
                admin.alterConsumerGroupOffsets(
                    group, Map.of(partition, new OffsetAndMetadata(request.get("offset").asLong()))).all().get();
                return null;
            case "delete_group_offset":
                admin.deleteConsumerGroupOffsets(group, Set.of(partition)).all().get();
                return null;
            case "delete_group":
                admin.deleteConsumerGroups(List.of(group)).all().get();
                return null;
            case "acls":
                return admin.describeAcls(AclBindingFilter.ANY).values().get().size();
            case "alter_quota":
                ClientQuotaEntity client = new ClientQuotaEntity(Map.of("client-id", request.get("client").asText()));
                ClientQuotaAlteration.Op op =
                    new ClientQuotaAlteration.Op("producer_byte_rate", request.get("rate").asDouble());
                admin.alterClientQuotas(List.of(new ClientQuotaAlteration(client, List.of(op)))).all().get();
                return null;
            case "quotas":
                Map<String, Map<String, Double>> quotas = new TreeMap<>();
                admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get()
                    .forEach((entity, values) -> quotas.put(entity.entries().toString(), values));
                return quotas;
            case "reassign":
                admin.alterPartitionReassignments(
                    Map.of(partition, Optional.of(new NewPartitionReassignment(brokers())))).all().get();
                return admin.listPartitionReassignments().reassignments().get().size();
            case "move_log_dir":
                TopicPartitionReplica replica = new TopicPartitionReplica(topic, partition.partition(), brokers().get(0));
                admin.alterReplicaLogDirs(Map.of(replica, request.get("folder").asText())).all().get();
                return null;
            case "delete_topic":
                admin.deleteTopics(List.of(topic)).all().get();
                return null;
            default:
                throw new IllegalArgumentException(request.toString());
        }
    }

    static List<Integer> brokers() throws Exception {
        return admin.describeCluster().nodes().get().stream().map(Node::id).toList();
    }

    static Object cluster(boolean authorized) throws Exception {
        DescribeClusterResult found =
            admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(authorized));
        ObjectNode told = Lines.JSON.createObjectNode();
        told.put("id", found.clusterId().get());
        told.put("controller", found.controller().get().id());
        told.set("nodes", Lines.JSON.valueToTree(found.nodes().get().stream().map(Node::id).toList()));
        Collection<?> operations = found.authorizedOperations().get();
        told.put("operations", operations == null ? null : operations.stream().map(Object::toString).sorted().toList()
            .toString());
        return told;
    }

    static Object logDirs(String topic) throws Exception {
        ObjectNode sizes = Lines.JSON.createObjectNode();
        List<String> folders = new ArrayList<>();
        admin.describeLogDirs(brokers()).allDescriptions().get().values().forEach(byFolder ->
            byFolder.forEach((folder, found) -> {
                folders.add(folder);
                found.replicaInfos().forEach((partition, replica) -> {
                    if (partition.topic().equals(topic)) {
                        sizes.put(String.valueOf(partition.partition()), replica.size());
                    }
                });
            }));
        return Map.of("folders", folders, "sizes", sizes);
    }

    static Object configs(ConfigResource resource, boolean documented) throws Exception {
        DescribeConfigsOptions options =
            new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(documented);
        Config found = admin.describeConfigs(List.of(resource), options).values().get(resource).get();
        Map<String, Object> told = new HashMap<>();
        for (ConfigEntry entry : found.entries()) {
            Map<String, Object> one = new HashMap<>();
            one.put("value", entry.value());
            one.put("source", entry.source().toString());
            one.put("type", entry.type().toString());
            one.put("sensitive", entry.isSensitive());
            one.put("documented", entry.documentation() != null);
            one.put("synonyms", entry.synonyms().stream().map(each -> each.source().toString()).toList());
            told.put(entry.name(), one);
        }
        return told;
    }

    static long offset(TopicPartition partition, OffsetSpec spec) throws Exception {
        return admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get().offset();
    }

    static Object described(ConsumerGroupDescription group) {
        return Map.of("state", group.groupState().toString(), "coordinator", group.coordinator().id(),
            "members", group.members().stream().map(one -> one.assignment().topicPartitions().size()).toList());
    }

    static Object committed(String group) throws Exception {
        ObjectNode offsets = Lines.JSON.createObjectNode();
        admin.listConsumerGroupOffsets(Map.of(group, new ListConsumerGroupOffsetsSpec())).all().get().get(group)
            .forEach((partition, found) -> offsets.put(partition.toString(), found.offset()));
        return offsets;
    }
}
