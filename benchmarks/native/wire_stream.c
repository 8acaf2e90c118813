/* Produce to consume: one producing connection, `consumers` that each fetch all `partitions` by long polls.
 *
 *   wire-stream  `records` batches of `batch` records of `size` bytes, round robin over the partitions; with `rate`
 *                batch i is due at i / `rate`, else `depth` are under way. Ends when every consumer has every batch.
 *
 * A delivery's latency counts from when its batch was due until the consumer has the whole response. Consumers use
 * incremental fetch sessions (KIP-227) where the server gives them: then a request names only what has changed.
 */
#include "wire.h"

#include <string.h>
#include <sys/epoll.h>

enum { EVENTS = 256, PARTITION_BYTES_MAX = 1 << 20, RESPONSE_BYTES_MAX = 4 << 20, WAIT_MS = 500 };

typedef struct {
    connection link;
    int64_t *offsets; /* by partition */
    int32_t *changed; /* partitions to name in the next request of a session */
    int changed_count;
    int32_t session_id, session_epoch;
    int64_t records, bytes;
    bool is_first;
} consumer;

typedef struct {
    options chosen;
    produce_template request;
    connection producer;
    consumer *consumers;
    int poll;
    int64_t total, sent, acknowledged;
    int64_t start_ns;
    latencies deliveries;
} streaming;

static int64_t due_ns(const streaming *all, int64_t batch) {
    return all->start_ns + (int64_t)((double)batch * 1e9 / all->chosen.rate);
}

static unsigned char *write_partition(unsigned char *to, const consumer *one, int32_t partition) {
    to = write_i32(to, partition);
    to = write_i32(to, -1); /* leader epoch */
    to = write_i64(to, one->offsets[partition]);
    to = write_i64(to, -1); /* log start offset */
    return write_i32(to, PARTITION_BYTES_MAX);
}

/* Fetch, version 11. */
static void ask(streaming *all, int index) {
    consumer *one = &all->consumers[index];
    bool names_all = one->session_id == 0;
    int count = names_all ? all->chosen.partitions : one->changed_count;
    size_t size_max = 128 + TOPIC_SIZE_MAX + (size_t)count * 28;
    unsigned char *request = connection_room(&one->link, size_max), *end = request + 4;
    end = write_i16(end, 1);
    end = write_i16(end, 11);
    end = write_i32(end, 1);
    end = write_string(end, "load");
    end = write_i32(end, -1); /* replica */
    end = write_i32(end, one->is_first ? 0 : WAIT_MS);
    end = write_i32(end, 1); /* min bytes */
    end = write_i32(end, RESPONSE_BYTES_MAX);
    *end++ = 0;
    end = write_i32(end, one->session_id);
    end = write_i32(end, one->session_id == 0 ? (one->is_first ? 0 : -1) : ++one->session_epoch);
    end = write_i32(end, count > 0 ? 1 : 0);
    if (count > 0) {
        end = write_string(end, all->chosen.topic);
        end = write_i32(end, count);
        for (int32_t i = 0; i < count; i++)
            end = write_partition(end, one, names_all ? i : one->changed[i]);
    }
    end = write_i32(end, 0);    /* nothing forgotten */
    end = write_string(end, ""); /* rack */
    write_i32(request, (int32_t)(end - request - 4));
    one->link.out_end -= size_max - (size_t)(end - request);
    one->changed_count = 0;
    connection_flush(&one->link, all->poll, (uint32_t)index + 1);
}

/* When the batch was due: the first eight bytes of its first value. */
static int64_t batch_due_ns(const unsigned char *batch) {
    const unsigned char *field = batch + BATCH_HEADER_SIZE;
    read_varint(&field);
    field++;
    read_varint(&field);
    read_varint(&field);
    read_varint(&field);
    read_varint(&field);
    return read_i64(field);
}

static void take_records(streaming *all, consumer *one, int32_t partition, const unsigned char *records, size_t size) {
    size_t position = 0;
    bool got_any = false;
    while (position + BATCH_HEADER_SIZE <= size) {
        const unsigned char *batch = records + position;
        size_t batch_size = 12 + read_u32(batch + 8);
        if (position + batch_size > size)
            break;
        int64_t next = read_i64(batch) + read_u32(batch + 23) + 1;
        if (next > one->offsets[partition]) {
            one->records += read_u32(batch + 57);
            one->bytes += (int64_t)read_u32(batch + 57) * (int64_t)all->chosen.size;
            int64_t taken = now_ns() - batch_due_ns(batch);
            all->deliveries.taken_ns[all->deliveries.count++] = taken;
            one->offsets[partition] = next;
            got_any = true;
        }
        position += batch_size;
    }
    if (got_any)
        one->changed[one->changed_count++] = partition;
}

static void take_response(streaming *all, consumer *one, const unsigned char *response) {
    const unsigned char *at = response + 4 + 4; /* correlation id, throttle time */
    int error = (int16_t)(at[0] << 8 | at[1]);
    char text[32];
    snprintf(text, sizeof text, "error %d", error);
    if (error != 0)
        fail("fetch", text);
    if (one->is_first)
        one->session_id = (int32_t)read_u32(at + 2);
    one->is_first = false;
    uint32_t topics = read_u32(at + 6);
    at += 10;
    for (; topics > 0; topics--) {
        at += 2 + (size_t)(at[0] << 8 | at[1]);
        uint32_t partitions = read_u32(at);
        at += 4;
        for (; partitions > 0; partitions--) {
            int32_t partition = (int32_t)read_u32(at);
            error = (int16_t)(at[4] << 8 | at[5]);
            snprintf(text, sizeof text, "error %d", error);
            if (error != 0)
                fail("fetch of a partition", text);
            uint32_t aborted = read_u32(at + 30);
            at += 34 + (aborted == UINT32_MAX ? 0 : (size_t)aborted * 16) + 4;
            uint32_t size = read_u32(at);
            at += 4;
            if (size == UINT32_MAX)
                size = 0;
            take_records(all, one, partition, at, size);
            at += size;
        }
    }
}

static void take_fetched(streaming *all, int index) {
    consumer *one = &all->consumers[index];
    if (!connection_receive(&one->link))
        return;
    size_t position = 0, size;
    while ((size = connection_frame(&one->link, &position)) > 0) {
        take_response(all, one, one->link.in + position);
        position += size;
        ask(all, index);
    }
    connection_consumed(&one->link, position);
}

static void put(streaming *all, int64_t due) {
    int32_t partition = (int32_t)(all->sent % all->chosen.partitions);
    produce_write(&all->request, connection_room(&all->producer, all->request.size), partition, due);
    all->sent++;
}

static void take_acknowledged(streaming *all) {
    if (!connection_receive(&all->producer))
        return;
    size_t position = 0, size;
    while ((size = connection_frame(&all->producer, &position)) > 0) {
        if (produce_error(all->producer.in + position, all->chosen.topic) != 0)
            fail("produce", "a batch was not taken");
        all->acknowledged++;
        position += size;
    }
    connection_consumed(&all->producer, position);
}

static void poll_once(streaming *all, int64_t until_ns) {
    struct epoll_event events[EVENTS];
    int count = wait_until(all->poll, events, EVENTS, until_ns);
    for (int i = 0; i < count; i++) {
        uint32_t who = events[i].data.u32;
        if (events[i].events & EPOLLOUT)
            connection_flush(who == 0 ? &all->producer : &all->consumers[who - 1].link, all->poll, who);
        if (events[i].events == EPOLLOUT)
            continue;
        if (who == 0)
            take_acknowledged(all);
        else
            take_fetched(all, (int)who - 1);
    }
}

static void produce_due(streaming *all) {
    bool is_open = all->chosen.rate > 0;
    for (int64_t now = now_ns(); all->sent < all->total; now = now_ns()) {
        if (is_open ? due_ns(all, all->sent) > now : all->sent - all->acknowledged >= all->chosen.depth)
            return;
        put(all, is_open ? due_ns(all, all->sent) : now);
        connection_flush(&all->producer, all->poll, 0);
    }
}

static void open_consumers(streaming *all) {
    int partitions = all->chosen.partitions;
    for (int i = 0; i < all->chosen.consumers; i++) {
        consumer *one = &all->consumers[i];
        one->offsets = malloc((size_t)partitions * sizeof *one->offsets);
        one->changed = malloc((size_t)partitions * sizeof *one->changed);
        one->is_first = true;
        for (int32_t partition = 0; partition < partitions; partition++)
            one->offsets[partition] = 1; /* after the record of the warm-up */
        connection_open(&one->link, all->chosen.bootstrap, all->poll, (uint32_t)i + 1);
        ask(all, i);
    }
    for (int i = 0; i < all->chosen.consumers;) {
        if (all->consumers[i].is_first)
            poll_once(all, now_ns() + 1000000000);
        else
            i++;
    }
}

void run_stream(options chosen) {
    produce_template one_record = produce_request(chosen.topic, 1, chosen.size);
    warm_up(chosen.bootstrap, chosen.topic, chosen.partitions, &one_record);
    streaming all = {.chosen = chosen, .poll = poller(), .total = chosen.records};
    all.request = produce_request(chosen.topic, chosen.batch, chosen.size);
    all.consumers = calloc((size_t)chosen.consumers, sizeof *all.consumers);
    all.deliveries.taken_ns = malloc((size_t)(all.total * chosen.consumers + 1) * sizeof(int64_t));
    connection_open(&all.producer, chosen.bootstrap, all.poll, 0);
    open_consumers(&all);

    int64_t expected = all.total * chosen.consumers, stalled_ns = 0;
    double cpu = cpu_seconds();
    all.start_ns = now_ns();
    for (int64_t before = -1; all.deliveries.count < expected;) {
        produce_due(&all);
        bool waits_for_due = chosen.rate > 0 && all.sent < all.total;
        if (all.deliveries.count > before || waits_for_due)
            stalled_ns = now_ns() + (int64_t)STALL_MS * 1000000;
        before = all.deliveries.count;
        poll_once(&all, waits_for_due ? due_ns(&all, all.sent) : stalled_ns);
        if (now_ns() > stalled_ns)
            fail("stream", "nothing was delivered for 30 s");
    }
    double seconds = (double)(now_ns() - all.start_ns) / 1e9;
    int64_t records = 0, bytes = 0;
    for (int i = 0; i < chosen.consumers; i++) {
        records += all.consumers[i].records;
        bytes += all.consumers[i].bytes;
    }
    printf("{\"seconds\": %.6f, \"records\": %lld, \"bytes\": %lld, \"cpu_seconds\": %.3f", seconds, (long long)records,
           (long long)bytes, cpu_seconds() - cpu);
    print_latencies(all.deliveries, chosen.windows);
    printf("}\n");
}
