/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/util.c
 * Hashes (xxh3), clocks, limits of the machine, cancellation.
 */
#include "base/util.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "base/banned.h"

struct rvl_hasher {
    XXH3_state_t state;
};

uint64_t rvl_hash64(const void *bytes, size_t n_bytes)
{
    return XXH3_64bits(bytes, n_bytes);
}

static void hash128_format(char out[33], XXH128_hash_t hash)
{
    (void)snprintf(out, 33, "%016llx%016llx", (unsigned long long)hash.high64, (unsigned long long)hash.low64);
}

void rvl_hash128_hex(char out[33], const void *bytes, size_t n_bytes)
{
    hash128_format(out, XXH3_128bits(bytes, n_bytes));
}

rvl_hasher *rvl_hasher_new(void)
{
    rvl_hasher *h = rvl_alloc_aligned(sizeof *h);

    if (!h)
        return NULL;
    XXH3_INITSTATE(&h->state);
    if (XXH3_128bits_reset(&h->state) == XXH_ERROR) {
        rvl_free(h);
        return NULL;
    }
    return h;
}

void rvl_hasher_add(rvl_hasher *h, const void *bytes, size_t n_bytes)
{
    if (n_bytes)
        (void)XXH3_128bits_update(&h->state, bytes, n_bytes);
}

void rvl_hasher_hex(const rvl_hasher *h, char out[33])
{
    hash128_format(out, XXH3_128bits_digest(&h->state));
}

void rvl_hasher_free(rvl_hasher *h)
{
    rvl_free(h);
}

double rvl_clock_s(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void rvl_time_iso(char out[32])
{
    time_t    now = time(NULL);
    struct tm parts;

    if (!gmtime_r(&now, &parts) || strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        out[0] = '\0';
}

/** First number of a small text file behind `key` ("" for the start of the file), or -1. */
static int64_t number_in_file(const char *path, const char *key)
{
    char   *text = NULL, *end;
    size_t  n_bytes;
    int64_t value = -1;

    if (rvl_file_read(&text, &n_bytes, path, 65536, NULL))
        return -1;
    const char *found = strstr(text, key);
    if (found) {
        long long number = strtoll(found + strlen(key), &end, 10);
        if (end != found + strlen(key) && number >= 0)
            value = number;
    }
    rvl_free(text);
    return value;
}

int64_t rvl_memory_bytes(void)
{
    int64_t total_kib = number_in_file("/proc/meminfo", "MemTotal:");
    int64_t machine = total_kib > 0 ? total_kib * 1024 : -1;
    int64_t group = number_in_file("/sys/fs/cgroup/memory.max", ""); /* "max" is no number: no limit */

    if (machine < 0)
        machine = (int64_t)sysconf(_SC_PAGESIZE) * (int64_t)sysconf(_SC_PHYS_PAGES);
    return group > 0 && group < machine ? group : machine;
}

int64_t rvl_memory_peak_bytes(void)
{
    struct rusage usage = {0};

    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (int64_t)usage.ru_maxrss * 1024;
}

static atomic_int cancel_flag;

void rvl_cancel_request(void)
{
    atomic_store(&cancel_flag, 1);
}

bool rvl_cancel_requested(void)
{
    return atomic_load(&cancel_flag) != 0;
}

void rvl_cancel_reset(void)
{
    atomic_store(&cancel_flag, 0);
}
