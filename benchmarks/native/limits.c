/* The machine's own limits: what no server on it can pass. `topic` names one, `records` is how many bytes.
 *
 *   loopback     copied from one thread to another over a loopback connection
 *   sendfile     sent by sendfile from the page cache over one, and received
 *   append       written to the end of a new file by 1 MiB pwrite into reserved space, not synced
 *   receive-append  received over a loopback connection, checked by CRC-32C and appended so, by one thread: all that
 *                a broker must do to a produced batch
 *   fdatasync    `records` / 4096 times 4 KiB appended, each followed by fdatasync; latencies are of these
 *   crc          CRC-32C of 1 MiB at a time that is in the cache
 */
#define _GNU_SOURCE
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 1 << 20, SYNCED_PIECE = 4096 };

typedef struct {
    int sock;
    int file; /* -1 to send from memory */
    int64_t size;
} sending;

static void *send_all(void *opaque) {
    sending *self = opaque;
    char *piece = calloc(1, PIECE);
    off_t position = 0;
    for (int64_t left = self->size; left > 0;) {
        size_t wanted = left < PIECE ? (size_t)left : PIECE;
        if (self->file >= 0)
            position %= PIECE * 16;
        ssize_t sent = self->file < 0 ? send(self->sock, piece, wanted, MSG_NOSIGNAL)
                                      : sendfile(self->sock, self->file, &position, wanted);
        if (sent <= 0)
            fail("limit", "cannot send");
        left -= sent;
    }
    free(piece);
    return NULL;
}

/* Two ends of a loopback connection. */
static void loopback_pair(int ends[2]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1) != 0)
        fail("limit", "cannot listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(ends[0], (struct sockaddr *)&address, sizeof address) != 0)
        fail("limit", "cannot connect");
    ends[1] = accept(listener, NULL, NULL);
    close(listener);
}

static int new_file(const char *path, int64_t size) {
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || posix_fallocate(file, 0, size) != 0)
        fail("limit: the file", strerror(errno));
    return file;
}

static void append(int file, const unsigned char *piece, size_t size, int64_t position) {
    if (pwrite(file, piece, size, position) != (ssize_t)size)
        fail("limit: the file", strerror(errno));
}

static void run_transfer(options chosen, bool from_file, bool is_appended) {
    int ends[2];
    loopback_pair(ends);
    unsigned char *piece = calloc(1, PIECE);
    int file = -1;
    if (from_file) {
        file = new_file(chosen.file, PIECE * 17);
        for (int64_t i = 0; i < 17; i++)
            append(file, piece, PIECE, i * PIECE);
    } else if (is_appended) {
        file = new_file(chosen.file, chosen.records);
    }
    sending sender = {ends[0], from_file ? file : -1, chosen.records};
    pthread_t thread;
    pthread_create(&thread, NULL, send_all, &sender);
    for (int64_t position = 0; position < chosen.records;) {
        size_t wanted = chosen.records - position < PIECE ? (size_t)(chosen.records - position) : PIECE;
        ssize_t got = recv(ends[1], piece, wanted, is_appended ? MSG_WAITALL : 0);
        if (got <= 0)
            fail("limit", "cannot receive");
        if (is_appended) {
            volatile uint32_t crc = crc32c(piece, (size_t)got);
            (void)crc;
            append(file, piece, (size_t)got, position);
        }
        position += got;
    }
    pthread_join(thread, NULL);
}

void run_limit(options chosen) {
    unsigned char *piece = calloc(1, PIECE);
    latencies syncs = {NULL, 0};
    double cpu = cpu_seconds();
    int64_t start = now_ns();
    if (strcmp(chosen.topic, "loopback") == 0) {
        run_transfer(chosen, false, false);
    } else if (strcmp(chosen.topic, "sendfile") == 0) {
        run_transfer(chosen, true, false);
    } else if (strcmp(chosen.topic, "receive-append") == 0) {
        run_transfer(chosen, false, true);
    } else if (strcmp(chosen.topic, "append") == 0) {
        int file = new_file(chosen.file, chosen.records);
        for (int64_t position = 0; position + PIECE <= chosen.records; position += PIECE)
            append(file, piece, PIECE, position);
    } else if (strcmp(chosen.topic, "fdatasync") == 0) {
        int file = new_file(chosen.file, chosen.records);
        syncs.taken_ns = malloc((size_t)(chosen.records / SYNCED_PIECE + 1) * sizeof *syncs.taken_ns);
        for (int64_t position = 0; position + SYNCED_PIECE <= chosen.records; position += SYNCED_PIECE) {
            int64_t before = now_ns();
            append(file, piece, SYNCED_PIECE, position);
            if (fdatasync(file) != 0)
                fail("fdatasync", strerror(errno));
            syncs.taken_ns[syncs.count++] = now_ns() - before;
        }
    } else if (strcmp(chosen.topic, "crc") == 0) {
        volatile uint32_t crc = 0;
        for (int64_t position = 0; position < chosen.records; position += PIECE)
            crc += crc32c(piece, PIECE);
    } else {
        fail("no such limit", chosen.topic);
    }
    printf("{\"seconds\": %.6f, \"records\": %lld, \"bytes\": %lld, \"cpu_seconds\": %.3f", (double)(now_ns() - start) / 1e9,
           (long long)(syncs.count > 0 ? syncs.count : 1), (long long)chosen.records, cpu_seconds() - cpu);
    print_latencies(syncs, 1);
    printf("}\n");
    if (chosen.file != NULL)
        unlink(chosen.file);
}
