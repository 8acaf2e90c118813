/* The load generator: one mode per run, one line of JSON on stdout.
 *
 *   load LIBRDKAFKA MODE key=value...
 *
 * MODE   produce   `records` of `size` bytes to `topic`, round robin over `partitions`; every one acknowledged
 *        latency   `records` one at a time: the next is sent when the last is acknowledged
 *        fetch     `records` in all, from the beginning of `partitions`
 *        bare-fetch  the same of partition 0 without librdkafka, see bare_fetch.c
 * keys   topic, records, size, partitions, and any property of librdkafka (bootstrap.servers=..., linger.ms=...;
 *        test.mock.num.brokers=1 measures this program against librdkafka's own mock cluster).
 *
 * Connecting is not timed: a produced record, acknowledged, comes before the clock starts, and a fetch is timed from
 * its first record. Payloads are windows of one incompressible buffer, handed to librdkafka without a copy.
 */
#include "load.h"
#include "rdkafka_abi.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { PAYLOAD_WINDOWS = 65536, PARTITIONS_MAX = 1000, WARM_UP_RECORDS = 500 };

void fail(const char *what, const char *detail) {
    fprintf(stderr, "%s: %s\n", what, detail);
    exit(1);
}

int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static options parse(int count, char **arguments) {
    options parsed = {NULL, "load", 1, 100, 1, rk_conf_new()};
    for (int i = 0; i < count; i++) {
        char *value = strchr(arguments[i], '=');
        if (value == NULL)
            fail("not key=value", arguments[i]);
        *value++ = '\0';
        const char *key = arguments[i];
        char error[RK_ERROR_STRING_SIZE];
        if (strcmp(key, "bootstrap.servers") == 0)
            parsed.bootstrap = value;
        if (strcmp(key, "topic") == 0)
            parsed.topic = value;
        else if (strcmp(key, "records") == 0)
            parsed.records = atoll(value);
        else if (strcmp(key, "size") == 0)
            parsed.size = (size_t)atoll(value);
        else if (strcmp(key, "partitions") == 0)
            parsed.partitions = atoi(value);
        else if (rk_conf_set(parsed.conf, key, value, error, sizeof error) != 0)
            fail(key, error);
    }
    if (parsed.partitions < 1 || parsed.partitions > PARTITIONS_MAX)
        fail("partitions", "out of range");
    return parsed;
}

static rk_client *client(int kind, rk_conf *conf) {
    char error[RK_ERROR_STRING_SIZE];
    rk_client *made = rk_new(kind, conf, error, sizeof error);
    if (made == NULL)
        fail("client", error);
    return made;
}

static char *payload_buffer(size_t size) {
    char *buffer = malloc(PAYLOAD_WINDOWS + size);
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < PAYLOAD_WINDOWS + size; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        buffer[i] = (char)state;
    }
    return buffer;
}

static char *payload_window(char *buffer, int64_t record) {
    return buffer + (record * 1021) % PAYLOAD_WINDOWS;
}

/* Acknowledgements */

typedef struct {
    rk_queue *queue;
    int64_t expected;
    _Atomic int64_t acknowledged;
} acknowledgements;

/* How many records the next event acknowledges; ends the program if one failed or nothing comes. */
static int64_t next_acknowledged(rk_queue *queue) {
    rk_event *event = rk_queue_poll(queue, STALL_MS);
    if (event == NULL)
        fail("produce", "no acknowledgement for 30 s");
    int64_t count = 0;
    int error = 0;
    if (rk_event_type(event) == RK_EVENT_DELIVERY) {
        count = (int64_t)rk_event_message_count(event); /* before `next`, which takes its message off the count */
        error = rk_event_error(event) ? rk_event_error(event) : rk_event_message_next(event)->error;
    } else if (rk_event_type(event) == RK_EVENT_ERROR) {
        fprintf(stderr, "librdkafka: %s\n", rk_event_error_string(event));
    }
    if (error != 0)
        fail("produce", rk_err2str(error));
    rk_event_destroy(event);
    return count;
}

static void *take_acknowledgements(void *opaque) {
    acknowledgements *all = opaque;
    while (all->acknowledged < all->expected)
        all->acknowledged += next_acknowledged(all->queue);
    return NULL;
}

static void produce_one(rk_topic *topic, int32_t partition, char *payload, size_t size) {
    if (rk_produce(topic, partition, RK_BLOCK_WHEN_FULL, payload, size, NULL, 0, NULL) != 0)
        fail("produce", rk_err2str(rk_last_error()));
}

static void produce_and_wait(rk_topic *topic, rk_queue *queue, int32_t partition, char *payload, size_t size) {
    produce_one(topic, partition, payload, size);
    while (next_acknowledged(queue) == 0) {
    }
}

/* Modes */

static void run_produce(options chosen) {
    rk_conf_set_events(chosen.conf, RK_EVENT_DELIVERY | RK_EVENT_ERROR);
    rk_client *producer = client(RK_PRODUCER, chosen.conf);
    rk_topic *topic = rk_topic_new(producer, chosen.topic, NULL);
    acknowledgements all = {rk_queue_get_main(producer), chosen.records, 0};
    char *buffer = payload_buffer(chosen.size);
    for (int32_t partition = 0; partition < chosen.partitions; partition++)
        produce_and_wait(topic, all.queue, partition, buffer, chosen.size);

    pthread_t taker;
    pthread_create(&taker, NULL, take_acknowledgements, &all);
    double cpu = cpu_seconds();
    int64_t start = now_ns();
    for (int64_t i = 0; i < chosen.records; i++)
        produce_one(topic, (int32_t)(i % chosen.partitions), payload_window(buffer, i), chosen.size);
    pthread_join(taker, NULL);
    double seconds = (double)(now_ns() - start) / 1e9;
    printf("{\"seconds\": %.6f, \"records\": %lld, \"bytes\": %lld, \"cpu_seconds\": %.3f, \"librdkafka\": \"%s\"}\n",
           seconds, (long long)chosen.records, (long long)chosen.records * (long long)chosen.size, cpu_seconds() - cpu,
           rk_version_str());
}

static int by_value(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void run_latency(options chosen) {
    rk_conf_set_events(chosen.conf, RK_EVENT_DELIVERY | RK_EVENT_ERROR);
    rk_client *producer = client(RK_PRODUCER, chosen.conf);
    rk_topic *topic = rk_topic_new(producer, chosen.topic, NULL);
    rk_queue *queue = rk_queue_get_main(producer);
    char *buffer = payload_buffer(chosen.size);
    for (int i = 0; i < WARM_UP_RECORDS; i++)
        produce_and_wait(topic, queue, 0, buffer, chosen.size);

    int64_t *taken = malloc((size_t)chosen.records * sizeof *taken);
    double cpu = cpu_seconds();
    int64_t start = now_ns(), before = start;
    for (int64_t i = 0; i < chosen.records; i++) {
        produce_and_wait(topic, queue, 0, payload_window(buffer, i), chosen.size);
        int64_t after = now_ns();
        taken[i] = after - before;
        before = after;
    }
    double seconds = (double)(before - start) / 1e9;
    qsort(taken, (size_t)chosen.records, sizeof *taken, by_value);
    int64_t last = chosen.records - 1;
    printf("{\"seconds\": %.6f, \"records\": %lld, \"bytes\": %lld, \"cpu_seconds\": %.3f, \"p50_us\": %.1f, "
           "\"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f, \"librdkafka\": \"%s\"}\n",
           seconds, (long long)chosen.records, (long long)chosen.records * (long long)chosen.size, cpu_seconds() - cpu,
           (double)taken[last / 2] / 1e3, (double)taken[last * 99 / 100] / 1e3, (double)taken[last * 999 / 1000] / 1e3,
           (double)taken[last] / 1e3, rk_version_str());
}

void print_fetched(const fetched *all, double cpu, const char *client) {
    printf("{\"seconds\": %.6f, \"records\": %lld, \"bytes\": %lld, \"cpu_seconds\": %.3f, \"librdkafka\": \"%s\"}\n",
           (double)(all->last_ns - all->first_ns) / 1e9, (long long)all->records, (long long)all->bytes, cpu, client);
}

static void count_record(rk_message *message, void *opaque) {
    fetched *all = opaque;
    if (message->error != 0)
        fail("fetch", rk_err2str(message->error));
    if (all->records++ == 0)
        all->first_ns = now_ns();
    all->bytes += (int64_t)message->size;
    if (all->records == all->expected)
        all->last_ns = now_ns();
}

static void run_fetch(options chosen) {
    rk_client *consumer = client(RK_CONSUMER, chosen.conf);
    rk_topic *topic = rk_topic_new(consumer, chosen.topic, NULL);
    const rk_metadata_list *metadata;
    int error = rk_metadata(consumer, 0, topic, &metadata, STALL_MS);
    if (error != 0)
        fail("metadata", rk_err2str(error));
    rk_metadata_destroy(metadata);

    rk_queue *queue = rk_queue_new(consumer);
    fetched all = {.expected = chosen.records};
    double cpu = cpu_seconds();
    for (int32_t partition = 0; partition < chosen.partitions; partition++)
        if (rk_consume_start_queue(topic, partition, RK_OFFSET_BEGINNING, queue) != 0)
            fail("fetch", rk_err2str(rk_last_error()));
    while (all.records < all.expected)
        if (rk_consume_callback_queue(queue, STALL_MS, count_record, &all) <= 0)
            fail("fetch", "no record for 30 s");
    print_fetched(&all, cpu_seconds() - cpu, rk_version_str());
}

int main(int count, char **arguments) {
    if (count < 3)
        fail("usage", "load LIBRDKAFKA produce|latency|fetch|bare-fetch key=value...");
    rk_load(arguments[1]);
    options chosen = parse(count - 3, arguments + 3);
    if (strcmp(arguments[2], "produce") == 0)
        run_produce(chosen);
    else if (strcmp(arguments[2], "latency") == 0)
        run_latency(chosen);
    else if (strcmp(arguments[2], "fetch") == 0)
        run_fetch(chosen);
    else if (strcmp(arguments[2], "bare-fetch") == 0)
        run_bare_fetch(chosen);
    else
        fail("no such mode", arguments[2]);
    /* What librdkafka holds ends with the process: tearing it down in order would only add time. */
    fflush(stdout);
    _Exit(0);
}
