/* The few functions of librdkafka that the load generator calls, by their public C interface (stable since 1.0).
 *
 * They are looked up at run time in the library that confluent-kafka's wheel carries, so that building needs a C
 * compiler and nothing else: no headers, no development package.
 */
#ifndef KSTREAM_RDKAFKA_ABI_H
#define KSTREAM_RDKAFKA_ABI_H

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

typedef struct rk_conf rk_conf;
typedef struct rk_client rk_client;
typedef struct rk_topic rk_topic;
typedef struct rk_topic_conf rk_topic_conf;
typedef struct rk_queue rk_queue;
typedef struct rk_event rk_event;
typedef struct rk_metadata_list rk_metadata_list;
struct rk_mock;

typedef struct rk_message {
    int error;
    rk_topic *topic;
    int32_t partition;
    void *payload;
    size_t size;
    void *key;
    size_t key_size;
    int64_t offset;
    void *opaque;
} rk_message;

typedef void rk_consume_callback(rk_message *message, void *opaque);

enum { RK_PRODUCER = 0, RK_CONSUMER = 1 };
enum { RK_BLOCK_WHEN_FULL = 4 };
enum { RK_EVENT_DELIVERY = 1, RK_EVENT_ERROR = 8 };
enum { RK_OFFSET_BEGINNING = -2 };
enum { RK_ERROR_STRING_SIZE = 512 };

#define RK_FUNCTIONS(X)                                                                                              \
    X(rk_conf *, conf_new, (void))                                                                                   \
    X(rk_conf *, conf_dup, (const rk_conf *))                                                                        \
    X(int, conf_set, (rk_conf *, const char *, const char *, char *, size_t))                                        \
    X(void, conf_set_events, (rk_conf *, int))                                                                       \
    X(rk_client *, new, (int, rk_conf *, char *, size_t))                                                            \
    X(void, destroy, (rk_client *))                                                                                  \
    X(const char *, err2str, (int))                                                                                  \
    X(int, last_error, (void))                                                                                       \
    X(rk_topic *, topic_new, (rk_client *, const char *, rk_topic_conf *))                                           \
    X(void, topic_destroy, (rk_topic *))                                                                             \
    X(int, metadata, (rk_client *, int, rk_topic *, const rk_metadata_list **, int))                                      \
    X(void, metadata_destroy, (const rk_metadata_list *))                                                                 \
    X(int, produce, (rk_topic *, int32_t, int, void *, size_t, const void *, size_t, void *))                        \
    X(rk_queue *, queue_get_main, (rk_client *))                                                                     \
    X(rk_queue *, queue_new, (rk_client *))                                                                          \
    X(void, queue_destroy, (rk_queue *))                                                                             \
    X(rk_event *, queue_poll, (rk_queue *, int))                                                                     \
    X(int, event_type, (const rk_event *))                                                                           \
    X(int, event_error, (rk_event *))                                                                                \
    X(const char *, event_error_string, (rk_event *))                                                                \
    X(size_t, event_message_count, (rk_event *))                                                                     \
    X(const rk_message *, event_message_next, (rk_event *))                                                          \
    X(void, event_destroy, (rk_event *))                                                                             \
    X(int, consume_start_queue, (rk_topic *, int32_t, int64_t, rk_queue *))                                          \
    X(int, consume_stop, (rk_topic *, int32_t))                                                                      \
    X(int, consume_callback_queue, (rk_queue *, int, rk_consume_callback *, void *))                                 \
    X(struct rk_mock *, handle_mock_cluster, (const rk_client *))                                                    \
    X(int, mock_topic_create, (struct rk_mock *, const char *, int, int))                                            \
    X(const char *, version_str, (void))

#define RK_DECLARE(result, name, arguments) static result(*rk_##name) arguments;
RK_FUNCTIONS(RK_DECLARE)

#define RK_LOOK_UP(result, name, arguments)                                                                          \
    *(void **)&rk_##name = dlsym(library, "rd_kafka_" #name);                                                        \
    if (rk_##name == NULL) {                                                                                         \
        fprintf(stderr, "%s has no rd_kafka_" #name "\n", path);                                                     \
        exit(1);                                                                                                     \
    }

static void rk_load(const char *path) {
    void *library = dlopen(path, RTLD_NOW);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    RK_FUNCTIONS(RK_LOOK_UP)
}

#endif
