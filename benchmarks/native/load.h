/* What the modes of the load generator share. */
#ifndef KSTREAM_LOAD_H
#define KSTREAM_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { STALL_MS = 30000 };

struct rk_conf;

typedef struct {
    const char *bootstrap;
    const char *topic;
    const char *file; /* of a limit */
    int64_t records;
    size_t size;
    int partitions;
    int clients;     /* librdkafka and bare-fetch: so many, each with its share of partitions and records */
    int compressible; /* payloads: 0 for noise, 1 for text that a codec makes about a quarter of */
    int connections; /* of wire-requests and wire-rate */
    int depth;       /* requests under way, on each connection */
    int consumers;   /* of wire-stream */
    int batch;       /* records in a batch of wire-stream */
    int windows;     /* latencies also in so many parts of the time */
    double rate;     /* requests or batches a second */
    int64_t milliseconds;
    struct rk_conf *conf;
} options;

typedef struct {
    int64_t records;
    int64_t bytes;
    int64_t first_ns;
    int64_t last_ns;
    int64_t expected;
} fetched;

void fail(const char *what, const char *detail);
int64_t now_ns(void);
double cpu_seconds(void);
void print_fetched(const fetched *all, double cpu, const char *client);
void run_bare_fetch(options chosen);
void run_wire(options chosen, bool is_open);
void run_stream(options chosen);
void run_limit(options chosen);

#endif
