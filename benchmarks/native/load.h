/* What the modes of the load generator share. */
#ifndef KSTREAM_LOAD_H
#define KSTREAM_LOAD_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { STALL_MS = 30000 };

struct rk_conf;

typedef struct {
    const char *bootstrap;
    const char *topic;
    int64_t records;
    size_t size;
    int partitions;
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

#endif
