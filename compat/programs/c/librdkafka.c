// Tells the story with librdkafka, by its C interface: requests by the line, see ../README.md.
// Build: cc librdkafka.c $(pkg-config --cflags --libs rdkafka jansson)

#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TIMEOUT_MS = 20000, POLL_MS = 100, KEPT_MAX = 64, ERROR_CHARS = 512 };

static const char *bootstrap;
static char failure[ERROR_CHARS]; // what to answer when a request's function returns NULL

/** A producer that is kept by its name until the end. */
static struct kept {
    char *name;
    rd_kafka_t *producer;
} kept[KEPT_MAX];
static int kept_count;
static rd_kafka_t *member;

static json_t *fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure, sizeof failure, format, arguments);
    va_end(arguments);
    return NULL;
}

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// --- bytes as base64 ---------------------------------------------------------------------------------------------

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static json_t *text_of(const void *data, size_t size) {
    if (data == NULL) return json_null();
    const unsigned char *bytes = data;
    char *text = malloc(size / 3 * 4 + 5), *end = text;
    for (size_t at = 0; at < size; at += 3) {
        unsigned left = (unsigned)(size - at), three = (unsigned)bytes[at] << 16;
        if (left > 1) three |= (unsigned)bytes[at + 1] << 8;
        if (left > 2) three |= bytes[at + 2];
        *end++ = DIGITS[three >> 18];
        *end++ = DIGITS[three >> 12 & 63];
        *end++ = left > 1 ? DIGITS[three >> 6 & 63] : '=';
        *end++ = left > 2 ? DIGITS[three & 63] : '=';
    }
    json_t *made = json_stringn(text, (size_t)(end - text));
    free(text);
    return made;
}

struct bytes {
    void *data; // NULL for null; to be freed
    size_t size;
};

static struct bytes bytes_of(const json_t *text) {
    struct bytes made = {NULL, 0};
    if (!json_is_string(text)) return made;
    size_t length = json_string_length(text);
    const char *from = json_string_value(text);
    unsigned char *to = malloc(length / 4 * 3 + 1);
    unsigned collected = 0, bits = 0;
    for (size_t at = 0; at < length && from[at] != '='; at++) {
        collected = collected << 6 | (unsigned)(strchr(DIGITS, from[at]) - DIGITS);
        if ((bits += 6) >= 8) to[made.size++] = (unsigned char)(collected >> (bits -= 8));
    }
    made.data = to;
    return made;
}

// --- a request's arguments ---------------------------------------------------------------------------------------

static const char *text(const json_t *request, const char *name) {
    const char *found = json_string_value(json_object_get(request, name));
    return found == NULL ? "" : found;
}

static json_int_t number(const json_t *request, const char *name) {
    return json_integer_value(json_object_get(request, name));
}

static int is_true(const json_t *request, const char *name) { return json_is_true(json_object_get(request, name)); }

static int is_null(const json_t *request, const char *name) { return json_is_null(json_object_get(request, name)); }

// --- clients -----------------------------------------------------------------------------------------------------

/** A client with these settings, pairs of a name and a value that end with NULL; NULL with `failure` said. */
static rd_kafka_t *client(rd_kafka_type_t type, const char **settings) {
    char error[ERROR_CHARS];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, error, sizeof error);
    rd_kafka_conf_set(conf, "log_level", "0", error, sizeof error); // what goes wrong is answered
    rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "200", error, sizeof error);
    if (type == RD_KAFKA_PRODUCER) rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR);
    for (; *settings != NULL; settings += 2) {
        if (rd_kafka_conf_set(conf, settings[0], settings[1], error, sizeof error) != RD_KAFKA_CONF_OK) {
            rd_kafka_conf_destroy(conf);
            fail("%s", error);
            return NULL;
        }
    }
    rd_kafka_t *made = rd_kafka_new(type, conf, error, sizeof error);
    if (made == NULL) {
        rd_kafka_conf_destroy(conf);
        fail("%s", error);
    }
    return made;
}

static rd_kafka_t *producer(const char *name, const char **settings) {
    for (int at = 0; at < kept_count; at++)
        if (strcmp(kept[at].name, name) == 0) return kept[at].producer;
    if (kept_count == KEPT_MAX) return (void *)fail("too many producers");
    rd_kafka_t *made = client(RD_KAFKA_PRODUCER, settings);
    if (made != NULL) kept[kept_count++] = (struct kept){strdup(name), made};
    return made;
}

// --- administration ----------------------------------------------------------------------------------------------

/** The producer whose connections administration uses. */
static rd_kafka_t *admin(void) {
    const char *settings[] = {NULL};
    return producer("admin", settings);
}

/** Waits for the answer to what was just asked with `queue`; NULL with `failure` said. */
static rd_kafka_event_t *answer(rd_kafka_queue_t *queue) {
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
    rd_kafka_queue_destroy(queue);
    if (event == NULL) {
        fail("no answer within %d ms", TIMEOUT_MS);
    } else if (rd_kafka_event_error(event)) {
        fail("%s", rd_kafka_event_error_string(event));
        rd_kafka_event_destroy(event);
        event = NULL;
    }
    return event;
}

/** Null for the one topic's result, or its error. */
static json_t *topic_result(rd_kafka_event_t *event, const rd_kafka_topic_result_t **results) {
    rd_kafka_resp_err_t error = rd_kafka_topic_result_error(results[0]);
    json_t *told = error ? fail("%s", rd_kafka_topic_result_error_string(results[0])) : json_null();
    rd_kafka_event_destroy(event);
    return told;
}

static json_t *create_topic(const json_t *request) {
    char error[ERROR_CHARS];
    rd_kafka_NewTopic_t *wanted =
        rd_kafka_NewTopic_new(text(request, "topic"), (int)number(request, "partitions"), 1, error, sizeof error);
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(request, "configs"), name, value) {
        rd_kafka_NewTopic_set_config(wanted, name, json_string_value(value));
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(admin());
    rd_kafka_CreateTopics(admin(), &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue);
    rd_kafka_NewTopic_destroy(wanted);
    if (event == NULL) return NULL;
    size_t count;
    return topic_result(event, rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count));
}

static json_t *delete_topic(const json_t *request) {
    rd_kafka_DeleteTopic_t *wanted = rd_kafka_DeleteTopic_new(text(request, "topic"));
    rd_kafka_queue_t *queue = rd_kafka_queue_new(admin());
    rd_kafka_DeleteTopics(admin(), &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue);
    rd_kafka_DeleteTopic_destroy(wanted);
    if (event == NULL) return NULL;
    size_t count;
    return topic_result(event, rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count));
}

static json_t *create_partitions(const json_t *request) {
    char error[ERROR_CHARS];
    rd_kafka_NewPartitions_t *wanted =
        rd_kafka_NewPartitions_new(text(request, "topic"), (size_t)number(request, "total"), error, sizeof error);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(admin());
    rd_kafka_CreatePartitions(admin(), &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue);
    rd_kafka_NewPartitions_destroy(wanted);
    if (event == NULL) return NULL;
    size_t count;
    const rd_kafka_CreatePartitions_result_t *result = rd_kafka_event_CreatePartitions_result(event);
    return topic_result(event, rd_kafka_CreatePartitions_result_topics(result, &count));
}

static json_t *partition_counts(const json_t *request) {
    (void)request;
    const struct rd_kafka_metadata *found;
    rd_kafka_resp_err_t error = rd_kafka_metadata(admin(), 1, NULL, &found, TIMEOUT_MS);
    if (error) return fail("%s", rd_kafka_err2str(error));
    json_t *counts = json_object();
    for (int at = 0; at < found->topic_cnt; at++)
        json_object_set_new(counts, found->topics[at].topic, json_integer(found->topics[at].partition_cnt));
    rd_kafka_metadata_destroy(found);
    return counts;
}

static json_t *topic_config(const json_t *request) {
    rd_kafka_ConfigResource_t *wanted = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, text(request, "topic"));
    rd_kafka_queue_t *queue = rd_kafka_queue_new(admin());
    rd_kafka_DescribeConfigs(admin(), &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue);
    rd_kafka_ConfigResource_destroy(wanted);
    if (event == NULL) return NULL;
    size_t count;
    const rd_kafka_ConfigResource_t **found =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);
    json_t *told = NULL;
    if (rd_kafka_ConfigResource_error(found[0])) {
        fail("%s", rd_kafka_ConfigResource_error_string(found[0]));
    } else {
        const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(found[0], &count);
        told = json_object();
        for (size_t at = 0; at < count; at++) {
            const char *value = rd_kafka_ConfigEntry_value(entries[at]);
            json_object_set_new(told, rd_kafka_ConfigEntry_name(entries[at]), value ? json_string(value) : json_null());
        }
    }
    rd_kafka_event_destroy(event);
    return told;
}

static json_t *set_topic_config(const json_t *request) {
    rd_kafka_ConfigResource_t *wanted = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, text(request, "topic"));
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(request, "values"), name, value) {
        rd_kafka_ConfigResource_set_config(wanted, name, json_string_value(value));
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(admin());
    rd_kafka_AlterConfigs(admin(), &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue);
    rd_kafka_ConfigResource_destroy(wanted);
    if (event == NULL) return NULL;
    size_t count;
    const rd_kafka_ConfigResource_t **found =
        rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(event), &count);
    int is_wrong = rd_kafka_ConfigResource_error(found[0]) != 0;
    if (is_wrong) fail("%s", rd_kafka_ConfigResource_error_string(found[0]));
    rd_kafka_event_destroy(event);
    return is_wrong ? NULL : json_null();
}

// --- producing ---------------------------------------------------------------------------------------------------

/** Hands one record to librdkafka, which copies it. */
static rd_kafka_resp_err_t hand_over(rd_kafka_t *to, const json_t *request, const json_t *record) {
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
    size_t at;
    json_t *header;
    json_array_foreach(json_object_get(record, "headers"), at, header) {
        struct bytes value = bytes_of(json_array_get(header, 1));
        rd_kafka_header_add(headers, json_string_value(json_array_get(header, 0)), -1, value.data, (ssize_t)value.size);
        free(value.data);
    }
    struct bytes key = bytes_of(json_object_get(record, "key")), value = bytes_of(json_object_get(record, "value"));
    rd_kafka_resp_err_t error =
        rd_kafka_producev(to, RD_KAFKA_V_TOPIC(text(request, "topic")),
                          RD_KAFKA_V_PARTITION((int32_t)number(request, "partition")),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key.data, key.size),
                          RD_KAFKA_V_VALUE(value.data, value.size), RD_KAFKA_V_HEADERS(headers),
                          RD_KAFKA_V_TIMESTAMP(number(record, "timestamp_ms")), RD_KAFKA_V_END);
    if (error) rd_kafka_headers_destroy(headers);
    free(key.data);
    free(value.data);
    return error;
}

/** The offsets, once all records are acknowledged. */
static json_t *send_all(rd_kafka_t *to, const json_t *request) {
    const json_t *records = json_object_get(request, "records");
    size_t at, wanted = json_array_size(records);
    json_t *record;
    json_array_foreach(records, at, record) {
        rd_kafka_resp_err_t error = hand_over(to, request, record);
        if (error) return fail("%s", rd_kafka_err2str(error));
    }
    rd_kafka_queue_t *deliveries = rd_kafka_queue_get_main(to);
    json_t *offsets = json_array();
    rd_kafka_resp_err_t wrong = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (double end = now_s() + TIMEOUT_MS / 1e3; json_array_size(offsets) < wanted && now_s() < end;) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(deliveries, POLL_MS);
        const rd_kafka_message_t *message;
        // Events of other kinds are of what librdkafka gets over by itself.
        while (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR && (message = rd_kafka_event_message_next(event))) {
            if (message->err) wrong = message->err;
            json_array_append_new(offsets, json_integer(message->offset));
        }
        if (event != NULL) rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(deliveries);
    if (!wrong && json_array_size(offsets) == wanted) return offsets;
    fail("%zu of %zu acknowledged: %s", json_array_size(offsets), wanted, rd_kafka_err2str(wrong));
    json_decref(offsets);
    return NULL;
}

/** A producer's settings begin with these; the rest is its own. */
#define PRODUCER_SETTINGS "acks", "all", "linger.ms", "20"

static json_t *produce(const json_t *request) {
    char name[ERROR_CHARS];
    const char *codec = text(request, "codec"), *idempotent = is_true(request, "idempotent") ? "true" : "false";
    snprintf(name, sizeof name, "%s %s", codec, idempotent);
    const char *settings[] = {PRODUCER_SETTINGS, "compression.type", codec, "enable.idempotence", idempotent, NULL};
    rd_kafka_t *to = producer(name, settings);
    return to == NULL ? NULL : send_all(to, request);
}

/** Null, or what went wrong in a transaction. */
static json_t *done(rd_kafka_error_t *error) {
    if (error == NULL) return json_null();
    fail("%s", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return NULL;
}

static json_t *transact(const json_t *request) {
    int known = kept_count;
    const char *id = text(request, "transactional_id");
    const char *settings[] = {PRODUCER_SETTINGS, "transactional.id", id, NULL};
    rd_kafka_t *to = producer(id, settings);
    if (to == NULL) return NULL;
    if (kept_count > known && done(rd_kafka_init_transactions(to, TIMEOUT_MS)) == NULL) return NULL;
    if (done(rd_kafka_begin_transaction(to)) == NULL) return NULL;
    json_t *offsets = send_all(to, request);
    if (offsets == NULL) return NULL;
    json_decref(offsets);
    return done(is_true(request, "commit") ? rd_kafka_commit_transaction(to, TIMEOUT_MS)
                                           : rd_kafka_abort_transaction(to, TIMEOUT_MS));
}

// --- consuming ---------------------------------------------------------------------------------------------------

static json_t *answered(const rd_kafka_message_t *message) {
    json_t *headers = json_array();
    rd_kafka_headers_t *found;
    if (!rd_kafka_message_headers(message, &found)) {
        const char *name;
        const void *value;
        size_t size;
        for (size_t at = 0; !rd_kafka_header_get_all(found, at, &name, &value, &size); at++)
            json_array_append_new(headers, json_pack("[s,o]", name, text_of(value, size)));
    }
    rd_kafka_timestamp_type_t type;
    return json_pack("{s:I,s:o,s:o,s:o,s:I}", "offset", (json_int_t)message->offset, "key",
                     text_of(message->key, message->key_len), "value", text_of(message->payload, message->len),
                     "headers", headers, "timestamp_ms", (json_int_t)rd_kafka_message_timestamp(message, &type));
}

static json_t *fetch(const json_t *request) {
    // librdkafka wants a group's name even where it only assigns; it never joins the group.
    const char *settings[] = {"group.id", "unused", "enable.auto.commit", "false", "auto.offset.reset", "error",
                              "isolation.level", is_true(request, "committed") ? "read_committed" : "read_uncommitted",
                              NULL};
    rd_kafka_t *consumer = client(RD_KAFKA_CONSUMER, settings);
    if (consumer == NULL) return NULL;
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_t *places = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *place =
        rd_kafka_topic_partition_list_add(places, text(request, "topic"), (int32_t)number(request, "partition"));
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    place->offset = RD_KAFKA_OFFSET_BEGINNING;
    if (!is_null(request, "offset")) {
        place->offset = number(request, "offset");
    } else if (!is_null(request, "timestamp_ms")) {
        place->offset = number(request, "timestamp_ms");
        error = rd_kafka_offsets_for_times(consumer, places, TIMEOUT_MS);
    }
    if (!error) error = rd_kafka_assign(consumer, places);
    json_t *got = json_array();
    size_t count = (size_t)number(request, "count");
    for (double end = now_s() + TIMEOUT_MS / 1e3; !error && json_array_size(got) < count && now_s() < end;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, POLL_MS);
        if (message == NULL) continue;
        error = message->err;
        if (!error) json_array_append_new(got, answered(message));
        rd_kafka_message_destroy(message);
    }
    rd_kafka_topic_partition_list_destroy(places);
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    if (!error && json_array_size(got) == count) return got;
    fail("%zu of %zu records: %s", json_array_size(got), count, rd_kafka_err2str(error));
    json_decref(got);
    return NULL;
}

static json_t *join(const json_t *request) {
    const char *settings[] = {"group.id", text(request, "group"), "enable.auto.commit", "false",
                              "auto.offset.reset", "earliest", "session.timeout.ms", "6000",
                              "heartbeat.interval.ms", "500", "topic.metadata.refresh.interval.ms", "1000", NULL};
    member = client(RD_KAFKA_CONSUMER, settings);
    if (member == NULL) return NULL;
    rd_kafka_poll_set_consumer(member);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, text(request, "topic"), RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t error = rd_kafka_subscribe(member, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    return error ? fail("%s", rd_kafka_err2str(error)) : json_null();
}

static json_t *poll(const json_t *request) {
    (void)request;
    json_t *got = json_array();
    int wait_ms = POLL_MS;
    rd_kafka_message_t *message;
    for (double end = now_s() + POLL_MS / 1e3; (message = rd_kafka_consumer_poll(member, wait_ms)) != NULL;) {
        if (!message->err) { // errors here are such as librdkafka gets over by itself
            json_array_append_new(got, json_pack("[i,I,o]", message->partition, (json_int_t)message->offset,
                                                 text_of(message->payload, message->len)));
            wait_ms = 1;
        }
        rd_kafka_message_destroy(message);
        if (now_s() > end) break;
    }
    return got;
}

static json_t *assigned(const json_t *request) {
    (void)request;
    rd_kafka_topic_partition_list_t *places;
    rd_kafka_resp_err_t error = rd_kafka_assignment(member, &places);
    if (error) return fail("%s", rd_kafka_err2str(error));
    json_t *partitions = json_array();
    for (int at = 0; at < places->cnt; at++) json_array_append_new(partitions, json_integer(places->elems[at].partition));
    rd_kafka_topic_partition_list_destroy(places);
    return partitions;
}

static json_t *commit(const json_t *request) {
    (void)request;
    rd_kafka_resp_err_t error = rd_kafka_commit(member, NULL, 0);
    return error ? fail("%s", rd_kafka_err2str(error)) : json_null();
}

static json_t *leave(const json_t *request) {
    (void)request;
    rd_kafka_consumer_close(member);
    rd_kafka_destroy(member);
    return json_null();
}

static json_t *version(const json_t *request) {
    (void)request;
    return json_string(rd_kafka_version_str());
}

// --- lines -------------------------------------------------------------------------------------------------------

static const struct {
    const char *name;
    json_t *(*tell)(const json_t *request); // the result, or NULL with `failure` said
} COMMANDS[] = {
    {"version", version},
    {"create_topic", create_topic},
    {"delete_topic", delete_topic},
    {"create_partitions", create_partitions},
    {"partition_counts", partition_counts},
    {"topic_config", topic_config},
    {"set_topic_config", set_topic_config},
    {"produce", produce},
    {"transact", transact},
    {"fetch", fetch},
    {"join", join},
    {"poll", poll},
    {"assigned", assigned},
    {"commit", commit},
    {"leave", leave},
};

static json_t *tell(const json_t *request) {
    for (size_t at = 0; at < sizeof COMMANDS / sizeof *COMMANDS; at++)
        if (strcmp(COMMANDS[at].name, text(request, "do")) == 0) return COMMANDS[at].tell(request);
    return fail("unknown request \"%s\"", text(request, "do"));
}

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: %s HOST:PORT\n", arguments[0]);
        return 2;
    }
    bootstrap = arguments[1];
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        json_error_t where;
        json_t *request = json_loads(line, 0, &where);
        json_t *result = request == NULL ? fail("%s", where.text) : tell(request);
        json_t *told = result == NULL ? json_pack("{s:s}", "error", failure) : json_pack("{s:o}", "result", result);
        json_dumpf(told, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
        putchar('\n');
        fflush(stdout);
        json_decref(told);
        json_decref(request);
    }
    free(line);
    for (int at = 0; at < kept_count; at++) {
        rd_kafka_destroy(kept[at].producer);
        free(kept[at].name);
    }
    return 0;
}
