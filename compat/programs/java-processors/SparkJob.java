// Numbers of a topic into another, doubled, by Spark Structured Streaming in this JVM, in batches of at most a quarter;
// then a batch query counts what is in the target. SparkJob HOST:PORT SOURCE TARGET COUNT FOLDER ends once all of SOURCE went through.

import java.io.File;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.apache.spark.sql.streaming.Trigger;

public class SparkJob {
    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        File folder = new File(arguments[4]);
        SparkSession spark = SparkSession.builder()
                .master("local[2]")
                .appName("doubling")
                .config("spark.ui.enabled", "false")
                .config("spark.driver.bindAddress", "127.0.0.1")
                .config("spark.driver.host", "127.0.0.1")
                .config("spark.sql.shuffle.partitions", "2")
                .config("spark.local.dir", folder.getPath())
                .config("spark.sql.warehouse.dir", new File(folder, "warehouse").getPath())
                .getOrCreate();
        Dataset<Row> numbers = spark.readStream()
                .format("kafka")
                .option("kafka.bootstrap.servers", bootstrap)
                .option("subscribe", arguments[1])
                .option("startingOffsets", "earliest")
                .option("maxOffsetsPerTrigger", Integer.parseInt(arguments[3]) / 4)
                .load()
                .selectExpr("CAST(CAST(value AS STRING) AS BIGINT) AS number");
        StreamingQuery doubling = numbers
                .selectExpr("CAST(2 * number AS STRING) AS value")
                .writeStream()
                .format("kafka")
                .option("kafka.bootstrap.servers", bootstrap)
                .option("topic", arguments[2])
                .option("checkpointLocation", new File(folder, "doubling").getPath())
                .trigger(Trigger.AvailableNow())
                .start();
        doubling.awaitTermination();
        System.out.println("batches: " + (doubling.lastProgress().batchId() + 1));
        long rows = spark.read()
                .format("kafka")
                .option("kafka.bootstrap.servers", bootstrap)
                .option("subscribe", arguments[2])
                .load()
                .count();
        System.out.println("read back: " + rows);
        spark.stop();
    }
}
