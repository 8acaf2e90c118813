/* Fetch by a bare client: one connection, Fetch v4, every record of every batch walked.
 *
 * librdkafka makes a message of each record, and at 100 bytes a record that is slower than any server here. This one
 * only walks: it sends the next request as soon as it knows the next offsets, as clients that read ahead do, and then
 * goes through the records it got (no compression). A response has at most 1 MiB whatever the partitions; those that
 * gave something go behind the others in the next request, so that each has its turn. Several clients, each with
 * partitions of its own, are threads.
 */
#include "wire.h"

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

enum { RESPONSE_SIZE_MAX = 1 << 26, RESPONSE_BYTES_MAX = 1 << 20 };

typedef struct {
    options chosen;
    int sock;
    int32_t first; /* its partitions are `first` and those after it */
    int count;
    int32_t *order; /* in which they are asked for, counted from `first` */
    int64_t *offsets;
    unsigned char *buffer;
    fetched got;
} bare_client;

static void ask(bare_client *one) {
    size_t size_max = 128 + TOPIC_SIZE_MAX + (size_t)one->count * 16;
    unsigned char *request = malloc(size_max), *end = request + 4;
    end = write_i16(end, 1); /* api key, version, correlation id, client id */
    end = write_i16(end, 4);
    end = write_i32(end, 1);
    end = write_string(end, "bare");
    end = write_i32(end, -1);  /* replica id */
    end = write_i32(end, 500); /* max wait, ms */
    end = write_i32(end, 1);   /* min bytes */
    end = write_i32(end, RESPONSE_BYTES_MAX);
    *end++ = 0; /* read uncommitted */
    end = write_i32(end, 1);
    end = write_string(end, one->chosen.topic);
    end = write_i32(end, one->count);
    for (int i = 0; i < one->count; i++) {
        end = write_i32(end, one->first + one->order[i]);
        end = write_i64(end, one->offsets[one->order[i]]);
        end = write_i32(end, RESPONSE_BYTES_MAX);
    }
    write_i32(request, (int32_t)(end - request - 4));
    if (send(one->sock, request, (size_t)(end - request), MSG_NOSIGNAL) != end - request)
        fail("fetch", "cannot send");
    free(request);
}

static void receive(int sock, unsigned char *to, size_t size) {
    while (size > 0) {
        ssize_t got = recv(sock, to, size, MSG_WAITALL);
        if (got <= 0)
            fail("fetch", got == 0 ? "the server closed the connection" : "nothing came for 30 s");
        to += got;
        size -= (size_t)got;
    }
}

/* Most varints of a record have one byte. */
static inline int64_t read_short_varint(const unsigned char **from) {
    unsigned char byte = **from;
    if (byte >= 0x80)
        return read_varint(from);
    (*from)++;
    return (byte >> 1) ^ -(byte & 1);
}

static inline void skip_varint(const unsigned char **from) {
    while (*(*from)++ >= 0x80) {
    }
}

/* Walks the records of one batch as far as their values. */
static void walk_batch(const unsigned char *batch, fetched *all) {
    const unsigned char *record = batch + BATCH_HEADER_SIZE;
    uint32_t count = read_u32(batch + 57);
    for (uint32_t i = 0; i < count; i++) {
        const unsigned char *field = record;
        int64_t size = read_short_varint(&field);
        record = field + size;
        field++; /* attributes */
        skip_varint(&field); /* timestamp and offset deltas */
        skip_varint(&field);
        int64_t key_size = read_short_varint(&field);
        field += key_size > 0 ? key_size : 0;
        all->bytes += read_short_varint(&field);
    }
    all->records += count;
}

/* The offset after the last whole batch, or `offset` if there is none; `size` becomes that of the whole batches. */
static int64_t offset_after(const unsigned char *records, size_t *size, int64_t offset) {
    size_t position = 0;
    while (position + BATCH_HEADER_SIZE <= *size) {
        size_t batch = 12 + read_u32(records + position + 8);
        if (position + batch > *size)
            break;
        offset = read_i64(records + position) + read_u32(records + position + 23) + 1;
        position += batch;
    }
    *size = position;
    return offset;
}

typedef struct {
    const unsigned char *records;
    size_t size;
} slice;

/* The records of each partition that gave some, and the next offsets and order; how many did. */
static int read_response(bare_client *one, slice *slices) {
    receive(one->sock, one->buffer, 4);
    size_t size = read_u32(one->buffer);
    if (size > RESPONSE_SIZE_MAX)
        fail("fetch", "the response is too large");
    receive(one->sock, one->buffer, size);
    /* Correlation id, throttle time, one topic and its name; for each partition: index, error, high watermark, last
     * stable offset, aborted transactions, records. */
    const unsigned char *at = one->buffer + 4 + 4 + 4 + 2 + strlen(one->chosen.topic);
    uint32_t partitions = read_u32(at);
    int given = 0;
    at += 4;
    for (; partitions > 0; partitions--) {
        int32_t partition = (int32_t)read_u32(at) - one->first;
        if (at[4] != 0 || at[5] != 0)
            fail("fetch", "the partition has an error");
        uint32_t aborted = read_u32(at + 22);
        at += 26 + (aborted == UINT32_MAX ? 0 : (size_t)aborted * 16) + 4;
        size_t records = read_u32(at - 4) == UINT32_MAX ? 0 : read_u32(at - 4), whole = records;
        one->offsets[partition] = offset_after(at, &whole, one->offsets[partition]);
        if (whole > 0) {
            slices[given++] = (slice){at, whole};
            int place = 0;
            while (one->order[place] != partition)
                place++;
            memmove(one->order + place, one->order + place + 1, (size_t)(one->count - place - 1) * sizeof *one->order);
            one->order[one->count - 1] = partition;
        }
        at += records;
    }
    return given;
}

static void *run_client(void *opaque) {
    bare_client *one = opaque;
    one->sock = connected(one->chosen.bootstrap);
    one->buffer = malloc(RESPONSE_SIZE_MAX);
    slice *slices = malloc((size_t)one->count * sizeof *slices);
    one->got.first_ns = now_ns();
    ask(one);
    while (one->got.records < one->got.expected) {
        int64_t before = one->got.records;
        int given = read_response(one, slices);
        int64_t coming = 0;
        for (int i = 0; i < given; i++)
            for (size_t position = 0; position < slices[i].size;) {
                coming += read_u32(slices[i].records + position + 57);
                position += 12 + read_u32(slices[i].records + position + 8);
            }
        if (before + coming < one->got.expected)
            ask(one);
        for (int i = 0; i < given; i++)
            for (size_t position = 0; position < slices[i].size;) {
                const unsigned char *batch = slices[i].records + position;
                walk_batch(batch, &one->got);
                position += 12 + read_u32(batch + 8);
            }
    }
    one->got.last_ns = now_ns();
    return NULL;
}

void run_bare_fetch(options chosen) {
    bare_client *clients = calloc((size_t)chosen.clients, sizeof *clients);
    pthread_t *threads = calloc((size_t)chosen.clients, sizeof *threads);
    fetched all = {.first_ns = INT64_MAX};
    double cpu = cpu_seconds();
    for (int i = 0; i < chosen.clients; i++) {
        bare_client *one = &clients[i];
        one->chosen = chosen;
        one->count = chosen.partitions / chosen.clients;
        one->first = i * one->count;
        one->got.expected = chosen.records / chosen.clients;
        one->order = calloc((size_t)one->count, sizeof *one->order);
        one->offsets = calloc((size_t)one->count, sizeof *one->offsets);
        for (int32_t partition = 0; partition < one->count; partition++)
            one->order[partition] = partition;
        pthread_create(&threads[i], NULL, run_client, one);
    }
    for (int i = 0; i < chosen.clients; i++) {
        pthread_join(threads[i], NULL);
        all.records += clients[i].got.records;
        all.bytes += clients[i].got.bytes;
        all.first_ns = clients[i].got.first_ns < all.first_ns ? clients[i].got.first_ns : all.first_ns;
        all.last_ns = clients[i].got.last_ns > all.last_ns ? clients[i].got.last_ns : all.last_ns;
    }
    print_fetched(&all, cpu_seconds() - cpu, "none");
}
