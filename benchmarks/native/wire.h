/* Kafka's protocol in plain bytes, for the modes that need many connections or exact times. */
#ifndef KSTREAM_WIRE_H
#define KSTREAM_WIRE_H

#include "load.h"

#include <stdbool.h>

enum { BATCH_HEADER_SIZE = 61, TOPIC_SIZE_MAX = 249, SEND_TIME_SIZE = 8 };

/* A non-blocking connection with what is still to be sent and what came and is not whole yet. */
typedef struct {
    int sock;
    unsigned char *out;
    size_t out_start, out_end, out_capacity;
    unsigned char *in;
    size_t in_end, in_capacity;
    int64_t answered; /* responses so far */
    bool waits_to_write;
} connection;

/* A produce request of one batch, ready but for partition, time and checksum. */
typedef struct {
    unsigned char *bytes;
    size_t size;
    size_t partition_at, batch_at, time_at;
    int records;
} produce_template;

uint32_t read_u32(const unsigned char *from);
int64_t read_i64(const unsigned char *from);
unsigned char *write_i16(unsigned char *to, int16_t value);
unsigned char *write_i32(unsigned char *to, int32_t value);
unsigned char *write_i64(unsigned char *to, int64_t value);
unsigned char *write_string(unsigned char *to, const char *value);
int64_t read_varint(const unsigned char **from);
uint32_t crc32c(const unsigned char *bytes, size_t size);

int connected(const char *bootstrap);
int poller(void);
void connection_open(connection *opened, const char *bootstrap, int poll, uint32_t index);
unsigned char *connection_room(connection *one, size_t size);
void connection_flush(connection *one, int poll, uint32_t index);
size_t connection_frame(connection *one, size_t *position);
bool connection_receive(connection *one);
void connection_consumed(connection *one, size_t position);

produce_template produce_request(const char *topic, int records, size_t size);
void produce_write(const produce_template *request, unsigned char *to, int32_t partition, int64_t time_ns);
int produce_error(const unsigned char *response, const char *topic);
void warm_up(const char *bootstrap, const char *topic, int partitions, const produce_template *one_record);
int wait_until(int poll, void *events, int count, int64_t time_ns);

typedef struct {
    int64_t *taken_ns;
    int64_t count;
} latencies;

/* Percentiles as JSON members; `windows` > 1 adds p50 and p99 of so many equal parts in time. */
void print_latencies(latencies all, int windows);

#endif
