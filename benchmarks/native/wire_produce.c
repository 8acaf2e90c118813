/* One-record produce requests over many connections, by one thread.
 *
 *   wire-requests  `depth` requests under way on each of `connections`, the next with each answer; `records` in all
 *   wire-rate      request i is due at i / `rate` whatever became of those before, on connection i mod `connections`,
 *                  for `milliseconds`. A latency counts from when its request was due, so that a server that stalls
 *                  pays for all the requests that had to wait (no coordinated omission).
 *
 * bootstrap.servers=sink stands for a thread that reads requests and acknowledges them: this program's own limit.
 */
#define _GNU_SOURCE
#include "wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { EVENTS = 256, SINK_CONNECTIONS_MAX = 16384 };

typedef struct {
    options chosen;
    produce_template request;
    connection *connections;
    int poll;
    int64_t total, sent, answered;
    int64_t start_ns;
    int64_t *latency_ns; /* by request; NULL where none are taken */
} producing;

static int64_t due_ns(const producing *all, int64_t request) {
    return all->start_ns + (int64_t)((double)request * 1e9 / all->chosen.rate);
}

/* Puts the next request of connection `index`; `due` is written into the record. */
static void put(producing *all, int index, int64_t due) {
    connection *one = &all->connections[index];
    int32_t partition = (int32_t)(all->sent % all->chosen.partitions);
    produce_write(&all->request, connection_room(one, all->request.size), partition, due);
    all->sent++;
}

/* Counts the answers that came on connection `index`. */
static int64_t take(producing *all, int index) {
    connection *one = &all->connections[index];
    if (!connection_receive(one))
        return 0;
    int64_t now = now_ns(), before = one->answered;
    size_t position = 0, size;
    while ((size = connection_frame(one, &position)) > 0) {
        int error = produce_error(one->in + position, all->chosen.topic);
        char text[32];
        snprintf(text, sizeof text, "error %d", error);
        if (error != 0)
            fail("produce", text);
        int64_t request = one->answered++ * all->chosen.connections + index;
        if (all->latency_ns != NULL)
            all->latency_ns[request] = now - due_ns(all, request);
        position += size;
    }
    connection_consumed(one, position);
    all->answered += one->answered - before;
    return one->answered - before;
}

static void poll_once(producing *all, int64_t until_ns, bool goes_on) {
    struct epoll_event events[EVENTS];
    int count = wait_until(all->poll, events, EVENTS, until_ns);
    for (int i = 0; i < count; i++) {
        int index = (int)events[i].data.u32;
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
            int64_t room = take(all, index);
            for (; goes_on && room > 0 && all->sent < all->total; room--)
                put(all, index, 0);
        }
        connection_flush(&all->connections[index], all->poll, (uint32_t)index);
    }
}

static void run_closed(producing *all) {
    for (int64_t turn = 0; turn < all->chosen.depth; turn++)
        for (int index = 0; index < all->chosen.connections && all->sent < all->total; index++)
            put(all, index, 0);
    for (int index = 0; index < all->chosen.connections; index++)
        connection_flush(&all->connections[index], all->poll, (uint32_t)index);
    while (all->answered < all->total) {
        int64_t before = all->answered;
        poll_once(all, now_ns() + (int64_t)STALL_MS * 1000000, true);
        if (all->answered == before && all->sent == before)
            fail("produce", "no acknowledgement for 30 s");
    }
}

static void run_open(producing *all) {
    int64_t stalled_ns = now_ns() + (int64_t)STALL_MS * 1000000;
    while (all->answered < all->total) {
        int64_t before = all->answered;
        for (int64_t now = now_ns(); all->sent < all->total && due_ns(all, all->sent) <= now; now = now_ns()) {
            int index = (int)(all->sent % all->chosen.connections);
            put(all, index, due_ns(all, all->sent));
            connection_flush(&all->connections[index], all->poll, (uint32_t)index);
        }
        poll_once(all, all->sent < all->total ? due_ns(all, all->sent) : stalled_ns, false);
        if (all->answered > before)
            stalled_ns = now_ns() + (int64_t)STALL_MS * 1000000;
        if (now_ns() > stalled_ns)
            fail("produce", "no acknowledgement for 30 s");
    }
}

/* The sink */

static unsigned char *sink_answer(unsigned char *to, const unsigned char *request, const char *topic) {
    unsigned char *end = write_i32(to + 4, (int32_t)read_u32(request + 4)); /* the correlation id */
    end = write_i32(end, 1);
    end = write_string(end, topic);
    end = write_i32(end, 1);
    end = write_i32(end, 0);
    end = write_i16(end, 0);
    end = write_i64(end, 0);
    end = write_i64(end, -1);
    end = write_i64(end, 0);
    end = write_i32(end, 0);
    write_i32(to, (int32_t)(end - to - 4));
    return end;
}

typedef struct {
    int listener;
    const char *topic;
} sink;

static void *run_sink(void *opaque) {
    sink *self = opaque;
    int poll = epoll_create1(0);
    connection *all = calloc(SINK_CONNECTIONS_MAX, sizeof *all);
    struct epoll_event listening = {.events = EPOLLIN, .data.u32 = UINT32_MAX}, events[EVENTS];
    epoll_ctl(poll, EPOLL_CTL_ADD, self->listener, &listening);
    for (;;) {
        int count = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.u32 == UINT32_MAX) {
                int sock = accept4(self->listener, NULL, NULL, SOCK_NONBLOCK), on = 1;
                if (sock < 0 || sock >= SINK_CONNECTIONS_MAX)
                    fail("sink", "too many connections");
                setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                all[sock] = (connection){.sock = sock};
                struct epoll_event reading = {.events = EPOLLIN, .data.u32 = (uint32_t)sock};
                epoll_ctl(poll, EPOLL_CTL_ADD, sock, &reading);
                continue;
            }
            connection *one = &all[events[i].data.u32];
            if (events[i].events & (EPOLLHUP | EPOLLRDHUP)) {
                epoll_ctl(poll, EPOLL_CTL_DEL, one->sock, NULL);
                continue;
            }
            char end;
            if (recv(one->sock, &end, 1, MSG_PEEK) == 0) {
                epoll_ctl(poll, EPOLL_CTL_DEL, one->sock, NULL);
                continue;
            }
            connection_receive(one);
            size_t position = 0, size;
            while ((size = connection_frame(one, &position)) > 0) {
                unsigned char answer[128 + TOPIC_SIZE_MAX];
                size_t answer_size = (size_t)(sink_answer(answer, one->in + position, self->topic) - answer);
                memcpy(connection_room(one, answer_size), answer, answer_size);
                position += size;
            }
            connection_consumed(one, position);
            connection_flush(one, poll, events[i].data.u32);
        }
    }
    return NULL;
}

static const char *started_sink(const char *topic) {
    static sink self;
    static char bootstrap[32];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    self = (sink){.listener = socket(AF_INET, SOCK_STREAM, 0), .topic = topic};
    if (bind(self.listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(self.listener, 4096) != 0)
        fail("sink", "cannot listen");
    getsockname(self.listener, (struct sockaddr *)&address, &size);
    snprintf(bootstrap, sizeof bootstrap, "127.0.0.1:%d", ntohs(address.sin_port));
    pthread_t thread;
    pthread_create(&thread, NULL, run_sink, &self);
    return bootstrap;
}

void run_wire(options chosen, bool is_open) {
    if (strcmp(chosen.bootstrap, "sink") == 0)
        chosen.bootstrap = started_sink(chosen.topic);
    produce_template one_record = produce_request(chosen.topic, 1, chosen.size);
    producing all = {.chosen = chosen, .request = one_record, .poll = poller()};
    warm_up(chosen.bootstrap, chosen.topic, chosen.partitions, &one_record);
    all.total = is_open ? (int64_t)(chosen.rate * (double)chosen.milliseconds / 1e3) : chosen.records;
    all.connections = calloc((size_t)chosen.connections, sizeof *all.connections);
    for (int i = 0; i < chosen.connections; i++)
        connection_open(&all.connections[i], chosen.bootstrap, all.poll, (uint32_t)i);
    if (is_open)
        all.latency_ns = malloc((size_t)(all.total + 1) * sizeof *all.latency_ns);
    double cpu = cpu_seconds();
    all.start_ns = now_ns();
    if (is_open)
        run_open(&all);
    else
        run_closed(&all);
    double seconds = (double)(now_ns() - all.start_ns) / 1e9;
    printf("{\"seconds\": %.6f, \"records\": %lld, \"bytes\": %lld, \"cpu_seconds\": %.3f", seconds,
           (long long)all.total, (long long)all.total * (long long)chosen.size, cpu_seconds() - cpu);
    if (is_open)
        print_latencies((latencies){all.latency_ns, all.total}, chosen.windows);
    printf("}\n");
}
