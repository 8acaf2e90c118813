/* Fetch by a bare client: one connection, Fetch v4, every record of every batch walked.
 *
 * librdkafka makes a message of each record, and at 100 bytes a record that is slower than any server here. This one
 * only walks: it sends the next request as soon as it knows the next offset, as clients that read ahead do, and then
 * goes through the records it got (no compression).
 */
#include "load.h"

#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { BATCH_HEADER_SIZE = 61, RESPONSE_SIZE_MAX = 1 << 28, PARTITION_BYTES_MAX = 1 << 20, TOPIC_SIZE_MAX = 249 };

static uint32_t read_u32(const unsigned char *from) {
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return be32toh(value);
}

static int64_t read_i64(const unsigned char *from) {
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return (int64_t)be64toh(value);
}

static unsigned char *write_i16(unsigned char *to, int16_t value) {
    uint16_t swapped = htobe16((uint16_t)value);
    memcpy(to, &swapped, sizeof swapped);
    return to + sizeof swapped;
}

static unsigned char *write_i32(unsigned char *to, int32_t value) {
    uint32_t swapped = htobe32((uint32_t)value);
    memcpy(to, &swapped, sizeof swapped);
    return to + sizeof swapped;
}

static unsigned char *write_i64(unsigned char *to, int64_t value) {
    uint64_t swapped = htobe64((uint64_t)value);
    memcpy(to, &swapped, sizeof swapped);
    return to + sizeof swapped;
}

static unsigned char *write_string(unsigned char *to, const char *value) {
    size_t size = strlen(value);
    to = write_i16(to, (int16_t)size);
    memcpy(to, value, size);
    return to + size;
}

/* `bootstrap` is IPV4:PORT. */
static int connected(const char *bootstrap) {
    char host[64];
    const char *colon = strrchr(bootstrap, ':');
    if (colon == NULL || (size_t)(colon - bootstrap) >= sizeof host)
        fail("not IPV4:PORT", bootstrap);
    memcpy(host, bootstrap, (size_t)(colon - bootstrap));
    host[colon - bootstrap] = '\0';
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        fail("not an IPv4 address", host);
    int sock = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct timeval stall = {.tv_sec = STALL_MS / 1000};
    setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &stall, sizeof stall);
    if (connect(sock, (struct sockaddr *)&address, sizeof address) != 0)
        fail("cannot connect", bootstrap);
    return sock;
}

static void ask(int sock, const char *topic, int32_t partition, int64_t offset) {
    unsigned char request[128 + TOPIC_SIZE_MAX], *end = request + 4;
    end = write_i16(end, 1); /* api key, version, correlation id, client id */
    end = write_i16(end, 4);
    end = write_i32(end, 1);
    end = write_string(end, "bare");
    end = write_i32(end, -1);  /* replica id */
    end = write_i32(end, 500); /* max wait, ms */
    end = write_i32(end, 1);   /* min bytes */
    end = write_i32(end, 50 << 20);
    *end++ = 0; /* read uncommitted */
    end = write_i32(end, 1);
    end = write_string(end, topic);
    end = write_i32(end, 1);
    end = write_i32(end, partition);
    end = write_i64(end, offset);
    end = write_i32(end, PARTITION_BYTES_MAX);
    write_i32(request, (int32_t)(end - request - 4));
    if (send(sock, request, (size_t)(end - request), 0) != end - request)
        fail("fetch", "cannot send");
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

static int64_t read_long_varint(const unsigned char **from, uint64_t raw) {
    for (int shift = 7;; shift += 7) {
        unsigned char byte = *(*from)++;
        raw |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);
    }
}

/* Most varints of a record have one byte. */
static inline int64_t read_varint(const unsigned char **from) {
    unsigned char byte = *(*from)++;
    if (byte < 0x80)
        return (byte >> 1) ^ -(byte & 1);
    return read_long_varint(from, byte & 0x7f);
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
        int64_t size = read_varint(&field);
        record = field + size;
        field++; /* attributes */
        skip_varint(&field); /* timestamp and offset deltas */
        skip_varint(&field);
        int64_t key_size = read_varint(&field);
        field += key_size > 0 ? key_size : 0;
        all->bytes += read_varint(&field);
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

static size_t receive_response(int sock, unsigned char *buffer) {
    receive(sock, buffer, 4);
    size_t size = read_u32(buffer);
    if (size > RESPONSE_SIZE_MAX)
        fail("fetch", "the response is too large");
    receive(sock, buffer, size);
    return size;
}

void run_bare_fetch(options chosen) {
    int sock = connected(chosen.bootstrap);
    unsigned char *buffer = malloc(RESPONSE_SIZE_MAX);
    /* Correlation id, throttle time, one topic and its name, one partition: index, error, high watermark, last
     * stable offset, aborted transactions, records. */
    size_t head = 4 + 4 + 4 + 2 + strlen(chosen.topic) + 4;
    fetched all = {0};
    int64_t offset = 0;
    double cpu = cpu_seconds();
    all.first_ns = now_ns();
    ask(sock, chosen.topic, 0, offset);
    while (all.records < chosen.records) {
        size_t response = receive_response(sock, buffer);
        if (response < head + 30 || buffer[head + 4] != 0 || buffer[head + 5] != 0)
            fail("fetch", "the partition has an error");
        uint32_t aborted = read_u32(buffer + head + 22);
        unsigned char *records = buffer + head + 30 + (aborted == UINT32_MAX ? 0 : (size_t)aborted * 16);
        size_t size = read_u32(records - 4);
        offset = offset_after(records, &size, offset);
        if (all.records < chosen.records)
            ask(sock, chosen.topic, 0, offset);
        for (size_t position = 0; position < size; position += 12 + read_u32(records + position + 8))
            walk_batch(records + position, &all);
    }
    all.last_ns = now_ns();
    cpu = cpu_seconds() - cpu;
    print_fetched(&all, cpu, "none");
}
