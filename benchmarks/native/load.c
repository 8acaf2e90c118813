/* The load generator: one mode per run, one line of JSON on stdout.
 *
 *   load LIBRDKAFKA MODE key=value...
 *
 * MODE   produce   `records` of `size` bytes to `topic`, round robin over `partitions`; every one acknowledged
 *        latency   `records` one at a time: the next is sent when the last is acknowledged
 *        fetch     `records` in all, from the beginning of `partitions`
 *        bare-fetch  the same without librdkafka, see bare_fetch.c
 *        wire-requests, wire-rate  one-record requests over many connections, see wire_produce.c
 *        wire-stream  produce to consume, see wire_stream.c
 *        limit     what the machine itself can do, see limits.c
 * keys   those of `options` in load.h, and any property of librdkafka (bootstrap.servers=..., linger.ms=...;
 *        test.mock.num.brokers=1 measures this program against librdkafka's own mock cluster).
 *
 * Connecting is not timed: a produced record, acknowledged, comes before the clock starts, and a fetch is timed from
 * its first record. Payloads are windows of one buffer, handed to librdkafka without a copy.
 */
#define _GNU_SOURCE
#include "load.h"
#include "rdkafka_abi.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#ifdef __linux__
#include <signal.h>
#include <sys/prctl.h>
#endif
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
    options parsed = {.topic = "load", .records = 1, .size = 100, .partitions = 1, .clients = 1, .connections = 1};
    parsed.depth = parsed.consumers = parsed.batch = parsed.windows = 1;
    parsed.conf = rk_conf_new();
    struct {
        const char *key;
        int *value;
    } counts[] = {{"partitions", &parsed.partitions},   {"clients", &parsed.clients},
                  {"compressible", &parsed.compressible}, {"connections", &parsed.connections},
                  {"depth", &parsed.depth},             {"consumers", &parsed.consumers},
                  {"batch", &parsed.batch},             {"windows", &parsed.windows}};
    for (int i = 0; i < count; i++) {
        char *value = strchr(arguments[i], '=');
        if (value == NULL)
            fail("not key=value", arguments[i]);
        *value++ = '\0';
        const char *key = arguments[i];
        char error[RK_ERROR_STRING_SIZE];
        size_t count_index = 0;
        while (count_index < sizeof counts / sizeof *counts && strcmp(key, counts[count_index].key) != 0)
            count_index++;
        if (count_index < sizeof counts / sizeof *counts) {
            *counts[count_index].value = atoi(value);
            continue;
        }
        if (strcmp(key, "bootstrap.servers") == 0)
            parsed.bootstrap = value;
        if (strcmp(key, "topic") == 0)
            parsed.topic = value;
        else if (strcmp(key, "records") == 0)
            parsed.records = atoll(value);
        else if (strcmp(key, "size") == 0)
            parsed.size = (size_t)atoll(value);
        else if (strcmp(key, "file") == 0)
            parsed.file = value;
        else if (strcmp(key, "rate") == 0)
            parsed.rate = atof(value);
        else if (strcmp(key, "milliseconds") == 0)
            parsed.milliseconds = atoll(value);
        else if (rk_conf_set(parsed.conf, key, value, error, sizeof error) != 0)
            fail(key, error);
    }
    if (parsed.partitions < 1 || parsed.partitions > PARTITIONS_MAX)
        fail("partitions", "out of range");
    if (parsed.clients < 1 || parsed.partitions % parsed.clients != 0)
        fail("clients", "each needs the same number of partitions");
    return parsed;
}

static rk_client *client(int kind, rk_conf *conf) {
    char error[RK_ERROR_STRING_SIZE];
    rk_client *made = rk_new(kind, conf, error, sizeof error);
    if (made == NULL)
        fail("client", error);
    return made;
}

static char *payload_buffer(size_t size, bool is_compressible) {
    static const char *words[] = {"\"customer\": ", "\"order\": ", "\"amount\": ", "\"paid\": true, ", "\"city\": \"Lyon\", "};
    char *buffer = malloc(PAYLOAD_WINDOWS + size + 32);
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < PAYLOAD_WINDOWS + size;) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if (!is_compressible)
            buffer[i++] = (char)state;
        else
            i += (size_t)sprintf(buffer + i, "%s%u, ", words[state % 5], (unsigned)(state >> 54));
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

typedef struct {
    options chosen;
    int first, partitions; /* its partitions are `first` and those after it */
    int64_t records;
    pthread_barrier_t *all_connected;
    int64_t start_ns, end_ns;
} producing_client;

static void *run_producer(void *opaque) {
    producing_client *one = opaque;
    rk_client *producer = client(RK_PRODUCER, rk_conf_dup(one->chosen.conf));
    if (rk_handle_mock_cluster(producer) != NULL)
        rk_mock_topic_create(rk_handle_mock_cluster(producer), one->chosen.topic, one->chosen.partitions, 1);
    rk_topic *topic = rk_topic_new(producer, one->chosen.topic, NULL);
    acknowledgements all = {rk_queue_get_main(producer), one->records, 0};
    size_t size = one->chosen.size;
    char *buffer = payload_buffer(size, one->chosen.compressible != 0);
    for (int32_t partition = 0; partition < one->partitions; partition++)
        produce_and_wait(topic, all.queue, one->first + partition, buffer, size);

    pthread_barrier_wait(one->all_connected);
    pthread_t taker;
    pthread_create(&taker, NULL, take_acknowledgements, &all);
    one->start_ns = now_ns();
    for (int64_t i = 0; i < one->records; i++)
        produce_one(topic, one->first + (int32_t)(i % one->partitions), payload_window(buffer, i), size);
    pthread_join(taker, NULL);
    one->end_ns = now_ns();
    return NULL;
}

static void run_produce(options chosen) {
    rk_conf_set_events(chosen.conf, RK_EVENT_DELIVERY | RK_EVENT_ERROR);
    producing_client *clients = calloc((size_t)chosen.clients, sizeof *clients);
    pthread_t *threads = calloc((size_t)chosen.clients, sizeof *threads);
    pthread_barrier_t all_connected;
    pthread_barrier_init(&all_connected, NULL, (unsigned)chosen.clients + 1);
    int partitions = chosen.partitions / chosen.clients;
    for (int i = 0; i < chosen.clients; i++) {
        clients[i] = (producing_client){.chosen = chosen, .first = i * partitions, .partitions = partitions};
        clients[i].records = chosen.records / chosen.clients;
        clients[i].all_connected = &all_connected;
        pthread_create(&threads[i], NULL, run_producer, &clients[i]);
    }
    pthread_barrier_wait(&all_connected);
    double cpu = cpu_seconds();
    int64_t start = INT64_MAX, end = 0, records = 0;
    for (int i = 0; i < chosen.clients; i++) {
        pthread_join(threads[i], NULL);
        start = clients[i].start_ns < start ? clients[i].start_ns : start;
        end = clients[i].end_ns > end ? clients[i].end_ns : end;
        records += clients[i].records;
    }
    printf("{\"seconds\": %.6f, \"records\": %lld, \"bytes\": %lld, \"cpu_seconds\": %.3f, \"librdkafka\": \"%s\"}\n",
           (double)(end - start) / 1e9, (long long)records, (long long)records * (long long)chosen.size,
           cpu_seconds() - cpu, rk_version_str());
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
    char *buffer = payload_buffer(chosen.size, false);
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

typedef struct {
    options chosen;
    int first, partitions;
    fetched got;
} fetching_client;

static void *run_consumer(void *opaque) {
    fetching_client *one = opaque;
    rk_client *consumer = client(RK_CONSUMER, rk_conf_dup(one->chosen.conf));
    rk_topic *topic = rk_topic_new(consumer, one->chosen.topic, NULL);
    const rk_metadata_list *metadata;
    int error = rk_metadata(consumer, 0, topic, &metadata, STALL_MS);
    if (error != 0)
        fail("metadata", rk_err2str(error));
    rk_metadata_destroy(metadata);

    rk_queue *queue = rk_queue_new(consumer);
    for (int32_t partition = 0; partition < one->partitions; partition++)
        if (rk_consume_start_queue(topic, one->first + partition, RK_OFFSET_BEGINNING, queue) != 0)
            fail("fetch", rk_err2str(rk_last_error()));
    while (one->got.records < one->got.expected)
        if (rk_consume_callback_queue(queue, STALL_MS, count_record, &one->got) <= 0)
            fail("fetch", "no record for 30 s");
    return NULL;
}

static void run_fetch(options chosen) {
    fetching_client *clients = calloc((size_t)chosen.clients, sizeof *clients);
    pthread_t *threads = calloc((size_t)chosen.clients, sizeof *threads);
    int partitions = chosen.partitions / chosen.clients;
    double cpu = cpu_seconds();
    for (int i = 0; i < chosen.clients; i++) {
        clients[i] = (fetching_client){.chosen = chosen, .first = i * partitions, .partitions = partitions};
        clients[i].got.expected = chosen.records / chosen.clients;
        pthread_create(&threads[i], NULL, run_consumer, &clients[i]);
    }
    fetched all = {.first_ns = INT64_MAX};
    for (int i = 0; i < chosen.clients; i++) {
        pthread_join(threads[i], NULL);
        fetched got = clients[i].got;
        all.records += got.records;
        all.bytes += got.bytes;
        all.first_ns = got.first_ns < all.first_ns ? got.first_ns : all.first_ns;
        all.last_ns = got.last_ns > all.last_ns ? got.last_ns : all.last_ns;
    }
    print_fetched(&all, cpu_seconds() - cpu, rk_version_str());
}

int main(int count, char **arguments) {
    if (count < 3)
        fail("usage", "load LIBRDKAFKA MODE key=value...");
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL); // who is killed cannot end us
#endif
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
    else if (strcmp(arguments[2], "wire-requests") == 0)
        run_wire(chosen, false);
    else if (strcmp(arguments[2], "wire-rate") == 0)
        run_wire(chosen, true);
    else if (strcmp(arguments[2], "wire-stream") == 0)
        run_stream(chosen);
    else if (strcmp(arguments[2], "limit") == 0)
        run_limit(chosen);
    else
        fail("no such mode", arguments[2]);
    /* What librdkafka holds ends with the process: tearing it down in order would only add time. */
    fflush(stdout);
    _Exit(0);
}
