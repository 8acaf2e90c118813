import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.*;
import java.util.stream.Collectors;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.group.api.assignor.*;
import org.apache.kafka.coordinator.group.assignor.RangeAssignor;
import org.apache.kafka.coordinator.group.assignor.SimpleAssignor;
import org.apache.kafka.coordinator.group.assignor.UniformAssignor;
import org.apache.kafka.coordinator.group.modern.*;

/** Apache Kafka's assignors: one question in JSON on each line of stdin, one answer on each of stdout. */
public class Assign {
    static final ObjectMapper JSON = new ObjectMapper();

    record Topics(Map<Uuid, Integer> counts, Map<Uuid, List<Set<String>>> racks) implements SubscribedTopicDescriber {
        public int numPartitions(Uuid topicId) {
            return counts.getOrDefault(topicId, -1);
        }

        public Set<String> racksForPartition(Uuid topicId, int partition) {
            List<Set<String>> found = racks.get(topicId);
            return found == null || found.isEmpty() ? Set.of() : found.get(partition);
        }
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println(JSON.writeValueAsString(answer(JSON.readTree(line))));
            System.out.flush();
        }
    }

    static Map<String, Map<String, List<Integer>>> answer(JsonNode question) {
        Map<String, Uuid> idsByName = new HashMap<>();
        Topics topics = new Topics(new HashMap<>(), new HashMap<>());
        question.get("topics").fields().forEachRemaining(each -> {
            Uuid id = Uuid.fromString(each.getKey());
            idsByName.put(each.getValue().get("name").asText(), id);
            topics.counts.put(id, each.getValue().get("partitions").asInt());
            List<Set<String>> racks = new ArrayList<>();
            each.getValue().get("racks").forEach(of -> racks.add(new HashSet<>(texts(of))));
            topics.racks.put(id, racks);
        });
        Map<String, MemberSubscriptionAndAssignmentImpl> members = new HashMap<>();
        Map<Uuid, Map<Integer, String>> owners = new HashMap<>();
        Map<String, Integer> subscribers = new HashMap<>();
        for (JsonNode member : question.get("members")) {
            String memberId = member.get("id").asText();
            Set<String> names = new HashSet<>(texts(member.get("topics")));
            names.forEach(name -> subscribers.merge(name, 1, Integer::sum));
            Map<Uuid, Set<Integer>> assigned = new HashMap<>();
            member.get("assigned").fields().forEachRemaining(each -> {
                Uuid id = Uuid.fromString(each.getKey());
                List<Integer> partitions = new ArrayList<>();
                each.getValue().forEach(partition -> partitions.add(partition.asInt()));
                assigned.put(id, new HashSet<>(partitions));
                partitions.forEach(
                    partition -> owners.computeIfAbsent(id, none -> new HashMap<>()).put(partition, memberId));
            });
            members.put(memberId, new MemberSubscriptionAndAssignmentImpl(
                Optional.ofNullable(member.get("rack").textValue()),
                Optional.ofNullable(member.get("instance").textValue()),
                names.stream().map(idsByName::get).collect(Collectors.toCollection(LinkedHashSet::new)),
                new Assignment(assigned)));
        }
        boolean isHomogeneous = subscribers.values().stream().allMatch(count -> count == members.size());
        PartitionAssignor assignor = switch (question.get("assignor").asText()) {
            case "range" -> new RangeAssignor();
            case "simple" -> new SimpleAssignor();
            default -> new UniformAssignor();
        };
        GroupAssignment found = assignor.assign(
            new GroupSpecImpl(
                Collections.unmodifiableMap(members),
                isHomogeneous ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS,
                owners,
                Optional.ofNullable(question.get("assignable")).map(Assign::assignable)),
            topics);
        Map<String, Map<String, List<Integer>>> answer = new TreeMap<>();
        found.members().forEach((memberId, assignment) -> {
            Map<String, List<Integer>> byTopic = new TreeMap<>();
            assignment.partitions().forEach(
                (id, partitions) -> byTopic.put(id.toString(), new ArrayList<>(new TreeSet<>(partitions))));
            answer.put(memberId, byTopic);
        });
        return answer;
    }

    /** How many of each topic's partitions, from the first, may be assigned. */
    static Map<Uuid, Set<Integer>> assignable(JsonNode counts) {
        Map<Uuid, Set<Integer>> found = new HashMap<>();
        counts.fields().forEachRemaining(each -> {
            Set<Integer> partitions = new HashSet<>();
            for (int index = 0; index < each.getValue().asInt(); index++) partitions.add(index);
            found.put(Uuid.fromString(each.getKey()), partitions);
        });
        return found;
    }

    static List<String> texts(JsonNode list) {
        List<String> found = new ArrayList<>();
        list.forEach(each -> found.add(each.asText()));
        return found;
    }
}
