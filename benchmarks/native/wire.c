#define _GNU_SOURCE
#include "wire.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

uint32_t read_u32(const unsigned char *from) {
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return be32toh(value);
}

int64_t read_i64(const unsigned char *from) {
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return (int64_t)be64toh(value);
}

unsigned char *write_i16(unsigned char *to, int16_t value) {
    uint16_t swapped = htobe16((uint16_t)value);
    memcpy(to, &swapped, sizeof swapped);
    return to + sizeof swapped;
}

unsigned char *write_i32(unsigned char *to, int32_t value) {
    uint32_t swapped = htobe32((uint32_t)value);
    memcpy(to, &swapped, sizeof swapped);
    return to + sizeof swapped;
}

unsigned char *write_i64(unsigned char *to, int64_t value) {
    uint64_t swapped = htobe64((uint64_t)value);
    memcpy(to, &swapped, sizeof swapped);
    return to + sizeof swapped;
}

unsigned char *write_string(unsigned char *to, const char *value) {
    size_t size = strlen(value);
    to = write_i16(to, (int16_t)size);
    memcpy(to, value, size);
    return to + size;
}

static unsigned char *write_varint(unsigned char *to, int64_t value) {
    uint64_t rest = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    for (; rest >= 0x80; rest >>= 7)
        *to++ = (unsigned char)(rest | 0x80);
    *to++ = (unsigned char)rest;
    return to;
}

int64_t read_varint(const unsigned char **from) {
    uint64_t raw = 0;
    for (int shift = 0;; shift += 7) {
        unsigned char byte = *(*from)++;
        raw |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);
    }
}

/* CRC-32C */

static uint32_t crc_by_table(const unsigned char *bytes, size_t size) {
    static uint32_t table[256];
    if (table[1] == 0)
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t value = i;
            for (int bit = 0; bit < 8; bit++)
                value = value & 1 ? (value >> 1) ^ 0x82f63b78u : value >> 1;
            table[i] = value;
        }
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++)
        crc = table[(crc ^ bytes[i]) & 0xff] ^ (crc >> 8);
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_by_instruction(const unsigned char *bytes, size_t size) {
    uint64_t crc = 0xffffffffu;
    for (; size >= 8; size -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, sizeof word);
        crc = __builtin_ia32_crc32di(crc, word);
    }
    for (; size > 0; size--)
        crc = __builtin_ia32_crc32qi((uint32_t)crc, *bytes++);
    return ~(uint32_t)crc;
}

uint32_t crc32c(const unsigned char *bytes, size_t size) {
    return __builtin_cpu_supports("sse4.2") ? crc_by_instruction(bytes, size) : crc_by_table(bytes, size);
}
#else
uint32_t crc32c(const unsigned char *bytes, size_t size) { return crc_by_table(bytes, size); }
#endif

/* Connections */

/* A blocking connection; `bootstrap` is IPV4:PORT. */
int connected(const char *bootstrap) {
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
        fail("cannot connect", strerror(errno));
    return sock;
}

int poller(void) {
    prctl(PR_SET_TIMERSLACK, 1000ul); /* wake within a microsecond of the time asked for */
    return epoll_create1(0);
}

static void watch(connection *one, int poll, uint32_t index, int operation, bool to_write) {
    struct epoll_event wanted = {.events = EPOLLIN | (to_write ? EPOLLOUT : 0u), .data.u32 = index};
    if (epoll_ctl(poll, operation, one->sock, &wanted) != 0)
        fail("epoll", strerror(errno));
    one->waits_to_write = to_write;
}

void connection_open(connection *opened, const char *bootstrap, int poll, uint32_t index) {
    *opened = (connection){.sock = connected(bootstrap)};
    fcntl(opened->sock, F_SETFL, O_NONBLOCK);
    watch(opened, poll, index, EPOLL_CTL_ADD, false);
}

/* Room for `size` more bytes to send; they count as written. */
unsigned char *connection_room(connection *one, size_t size) {
    if (one->out_start == one->out_end)
        one->out_start = one->out_end = 0;
    if (one->out_end + size > one->out_capacity) {
        one->out_capacity = 2 * (one->out_end + size);
        one->out = realloc(one->out, one->out_capacity);
    }
    one->out_end += size;
    return one->out + one->out_end - size;
}

void connection_flush(connection *one, int poll, uint32_t index) {
    while (one->out_start < one->out_end) {
        ssize_t sent = send(one->sock, one->out + one->out_start, one->out_end - one->out_start, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            if (!one->waits_to_write)
                watch(one, poll, index, EPOLL_CTL_MOD, true);
            return;
        }
        if (sent < 0)
            fail("send", strerror(errno));
        one->out_start += (size_t)sent;
    }
    if (one->waits_to_write)
        watch(one, poll, index, EPOLL_CTL_MOD, false);
}

/* Takes what came; false if nothing did. */
bool connection_receive(connection *one) {
    size_t wanted = one->in_end >= 4 ? 4 + (size_t)read_u32(one->in) : 0;
    size_t capacity = wanted > (1u << 16) ? wanted : 1u << 16;
    if (capacity > one->in_capacity) {
        one->in_capacity = capacity;
        one->in = realloc(one->in, capacity);
    }
    ssize_t got = recv(one->sock, one->in + one->in_end, one->in_capacity - one->in_end, 0);
    if (got == 0)
        fail("receive", "the server closed the connection");
    if (got < 0 && errno != EAGAIN)
        fail("receive", strerror(errno));
    one->in_end += got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* The size of the whole response, without its length, that begins at `position`, which moves to it; 0 if none is. */
size_t connection_frame(connection *one, size_t *position) {
    if (one->in_end < *position + 4)
        return 0;
    size_t size = read_u32(one->in + *position);
    if (one->in_end < *position + 4 + size)
        return 0;
    *position += 4;
    return size;
}

/* Forget what is before `position`. */
void connection_consumed(connection *one, size_t position) {
    memmove(one->in, one->in + position, one->in_end - position);
    one->in_end -= position;
}

/* Wait for events until a time of `now_ns`; the count of events. */
int wait_until(int poll, void *events, int count, int64_t time_ns) {
    int64_t left = time_ns - now_ns();
    if (left < 0)
        left = 0;
    struct timespec timeout = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    int got = epoll_pwait2(poll, events, count, &timeout, NULL);
    if (got < 0 && errno != EINTR)
        fail("epoll_pwait2", strerror(errno));
    return got < 0 ? 0 : got;
}

/* Produce, version 7 */

static unsigned char *write_record(unsigned char *to, int offset, size_t size, unsigned char **value) {
    unsigned char head[16], *end = head;
    *end++ = 0; /* attributes */
    end = write_varint(end, 0);
    end = write_varint(end, offset);
    end = write_varint(end, -1); /* no key */
    end = write_varint(end, (int64_t)size);
    to = write_varint(to, (int64_t)((size_t)(end - head) + size + 1));
    memcpy(to, head, (size_t)(end - head));
    *value = to + (end - head);
    uint64_t state = 88172645463325252u + (uint64_t)offset;
    for (size_t i = 0; i < size; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (*value)[i] = (unsigned char)state;
    }
    to = *value + size;
    *to++ = 0; /* no headers */
    return to;
}

produce_template produce_request(const char *topic, int records, size_t size) {
    if (size < SEND_TIME_SIZE)
        fail("size", "a record needs 8 bytes for the time");
    produce_template made = {.records = records};
    made.bytes = malloc(256 + TOPIC_SIZE_MAX + (size_t)records * (size + 32));
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;

    unsigned char *end = made.bytes + 4;
    end = write_i16(end, 0); /* api key, version, correlation id, client id */
    end = write_i16(end, 7);
    end = write_i32(end, 1);
    end = write_string(end, "load");
    end = write_i16(end, -1); /* transactional id, acks, timeout */
    end = write_i16(end, 1);
    end = write_i32(end, 30000);
    end = write_i32(end, 1);
    end = write_string(end, topic);
    end = write_i32(end, 1);
    made.partition_at = (size_t)(end - made.bytes);
    end = write_i32(end, 0);
    unsigned char *batch_size = end;
    unsigned char *batch = end + 4;
    made.batch_at = (size_t)(batch - made.bytes);
    end = write_i64(batch, 0); /* base offset, length, leader epoch, magic, checksum */
    end = write_i32(end, 0);
    end = write_i32(end, -1);
    *end++ = 2;
    end = write_i32(end, 0);
    end = write_i16(end, 0); /* attributes, last offset delta, timestamps, producer, sequence, count */
    end = write_i32(end, records - 1);
    end = write_i64(end, now_ms);
    end = write_i64(end, now_ms);
    end = write_i64(end, -1);
    end = write_i16(end, -1);
    end = write_i32(end, -1);
    end = write_i32(end, records);
    for (int i = 0; i < records; i++) {
        unsigned char *value;
        end = write_record(end, i, size, &value);
        if (i == 0)
            made.time_at = (size_t)(value - made.bytes);
    }
    write_i32(batch_size, (int32_t)(end - batch));
    write_i32(batch + 8, (int32_t)(end - batch - 12));
    made.size = (size_t)(end - made.bytes);
    write_i32(made.bytes, (int32_t)made.size - 4);
    return made;
}

/* The request, `size` bytes, for one partition; the first record begins with `time_ns`. */
void produce_write(const produce_template *request, unsigned char *to, int32_t partition, int64_t time_ns) {
    memcpy(to, request->bytes, request->size);
    write_i32(to + request->partition_at, partition);
    write_i64(to + request->time_at, time_ns);
    size_t checked_at = request->batch_at + 21;
    write_i32(to + checked_at - 4, (int32_t)crc32c(to + checked_at, request->size - checked_at));
}

/* The error code of a response of one partition, given without its length. */
int produce_error(const unsigned char *response, const char *topic) {
    const unsigned char *at = response + 4 + 4 + 2 + strlen(topic) + 4 + 4;
    return (int16_t)(at[0] << 8 | at[1]);
}

static void exchange(int sock, const unsigned char *request, size_t size, unsigned char *response, size_t capacity) {
    if (send(sock, request, size, MSG_NOSIGNAL) != (ssize_t)size)
        fail("warm-up", "cannot send");
    if (recv(sock, response, 4, MSG_WAITALL) != 4)
        fail("warm-up", "the server closed the connection");
    size_t answer = read_u32(response);
    if (answer > capacity || recv(sock, response, answer, MSG_WAITALL) != (ssize_t)answer)
        fail("warm-up", "the server closed the connection");
}

/* One record to each partition, repeated while a new topic is not known everywhere: all have one record after it. */
void warm_up(const char *bootstrap, const char *topic, int partitions, const produce_template *one_record) {
    int sock = connected(bootstrap);
    unsigned char *request = malloc(one_record->size), response[1024];
    for (int32_t partition = 0; partition < partitions; partition++) {
        produce_write(one_record, request, partition, 0);
        int error = 0;
        for (int attempt = 0; attempt < 3000; attempt++) {
            exchange(sock, request, one_record->size, response, sizeof response);
            error = produce_error(response, topic);
            if (error == 0)
                break;
            usleep(20000);
        }
        char text[32];
        snprintf(text, sizeof text, "error %d", error);
        if (error != 0)
            fail("warm-up", text);
    }
    free(request);
    close(sock);
}

/* Latencies */

static int by_value(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static double percentile_us(const int64_t *sorted, int64_t count, int per_mille) {
    return count == 0 ? 0.0 : (double)sorted[(count - 1) * per_mille / 1000] / 1e3;
}

void print_latencies(latencies all, int windows) {
    if (windows > 1) {
        printf(", \"windows\": [");
        for (int64_t i = 0; i < windows; i++) {
            int64_t from = all.count * i / windows, count = all.count * (i + 1) / windows - from;
            int64_t *part = malloc((size_t)(count + 1) * sizeof *part);
            memcpy(part, all.taken_ns + from, (size_t)count * sizeof *part);
            qsort(part, (size_t)count, sizeof *part, by_value);
            printf("%s[%.1f, %.1f]", i ? ", " : "", percentile_us(part, count, 500), percentile_us(part, count, 990));
            free(part);
        }
        printf("]");
    }
    qsort(all.taken_ns, (size_t)all.count, sizeof *all.taken_ns, by_value);
    printf(", \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f",
           percentile_us(all.taken_ns, all.count, 500), percentile_us(all.taken_ns, all.count, 990),
           percentile_us(all.taken_ns, all.count, 999), percentile_us(all.taken_ns, all.count, 1000));
}
