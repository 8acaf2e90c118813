import java.io.File;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.storage.internals.log.*;
import org.apache.kafka.storage.internals.utils.Throttler;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

/** One round of Apache Kafka's log cleaner over a partition's directory: directory, time, first dirty offset, slots of the map. */
public class KafkaCleaner {
    public static void main(String[] arguments) throws Exception {
        long nowMs = Long.parseLong(arguments[1]);
        long firstDirty = Long.parseLong(arguments[2]);
        int mapBytes = Integer.parseInt(arguments[3]);
        LogConfig config = new LogConfig(Map.of(
            "cleanup.policy", "compact",
            "internal.segment.bytes", arguments[4],
            "index.interval.bytes", arguments[5],
            "delete.retention.ms", arguments[6]));
        KafkaScheduler scheduler = new KafkaScheduler(1);
        scheduler.startup();
        UnifiedLog log = UnifiedLog.create(new File(arguments[0]), config, 0, 0, scheduler, new BrokerTopicStats(),
            Time.SYSTEM, 900_000, new ProducerStateManagerConfig(Integer.MAX_VALUE, false), 600_000,
            new LogDirFailureChannel(1), false, Optional.empty());
        log.updateHighWatermark(log.logEndOffset());
        Cleaner cleaner = new Cleaner(0, new SkimpyOffsetMap(mapBytes), 1 << 20, 1 << 20, 0.9,
            new Throttler(Double.MAX_VALUE, 300, "cleaner", "bytes", Time.SYSTEM), Time.SYSTEM, partition -> { });
        long limit = Math.min(log.lastStableOffset(), log.activeSegment().baseOffset());
        System.out.println("cleaned " + cleaner.doClean(new LogToClean(log, firstDirty, limit, false), nowMs).getKey());
        log.close();
        System.exit(0);
    }
}
