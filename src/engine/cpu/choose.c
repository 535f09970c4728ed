/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/choose.c
 * Direct or Winograd: which kernel a convolution gets.
 *
 * RVL_CPU_CONV (direct, winograd) decides for everything that can run both ways. Else small convolutions are timed,
 * once per machine: the answer is kept in "kernels.json" in RVL_CACHE_DIR, else XDG_CACHE_HOME/rvl, else
 * HOME/.cache/rvl. Large ones and deterministic plans follow a rule and are never timed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/cpu/lower.h"

#define MAX_TIMED_FLOPS 4e9 /* above it the rule is certain enough, and timing would be felt */
#define N_TRIES 3

/** The answers so far, as the file has them; one thread of a process makes plans. */
static json_t *known;
static char   *known_path;
static bool    has_news; /* not in the file yet */

static char *cache_file(void)
{
    const char *dir = getenv("RVL_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    rvl_str     path = {0};

    if (dir && *dir)
        rvl_str_add(&path, dir);
    else if (xdg && *xdg)
        rvl_str_addf(&path, "%s/rvl", xdg);
    else if (home && *home)
        rvl_str_addf(&path, "%s/.cache/rvl", home);
    else
        return NULL;
    rvl_str_add(&path, "/kernels.json");
    return rvl_str_take(&path);
}

static json_t *load_known(void)
{
    rvl_error err = {0};
    json_t   *root = NULL, *choices;

    known_path = cache_file();
    if (!known_path || !rvl_path_exists(known_path))
        return json_object();
    if (rvl_json_load(&root, known_path, &err) || strcmp(rvl_json_get_string(root, "schema", ""), "rvl.kernels/1") != 0)
        rvl_log(RVL_LOG_WARN, "'%s' is no kernel cache and is made anew: %s", known_path, err.text);
    choices = json_object_get(root, "choices");
    choices = json_is_object(choices) ? json_incref(choices) : json_object();
    json_decref(root);
    return choices;
}

void rvl__cpu_choices_save(void)
{
    if (!has_news)
        return;
    has_news = false;
    rvl_error ignored = {0};
    json_t   *root = json_pack("{s:s, s:O}", "schema", "rvl.kernels/1", "choices", known);
    char     *dir = known_path ? rvl_path_dir(known_path) : NULL;

    if (root && dir && rvl_dir_make(dir, &ignored) == RVL_OK && rvl_json_save(root, known_path, &ignored) == RVL_OK)
        rvl_log(RVL_LOG_DEBUG, "kernel choices kept in '%s'", known_path);
    rvl_free(dir);
    json_decref(root);
}

static double flops(const rvl_cpu_product *p)
{
    return 2.0 * (double)(p->n * p->n_grid) * (double)(p->n_taps * p->n_src_channels * p->n_dst_channels);
}

/** Padding to whole blocks, the transforms and few tiles eat what fewer multiplications gain. */
static bool rule(const rvl_cpu_winograd *w)
{
    const rvl_cpu_product *p = w->conv.products;

    return p->n_src_channels >= 16 && p->n_dst_channels >= 16 && w->tiles_y * w->tiles_x >= 4;
}

/** Of all threads: neighbours on a shared machine disturb it less than the wall clock. */
static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/** Best of a few runs of one kernel over `call`'s buffers. */
static double best_time(rvl_kernel run, rvl_kernel_call *call, const void *prepared)
{
    double best = 1e30;

    call->prepared = prepared;
    for (int i = 0; i <= N_TRIES; i++) {
        const double start = cpu_seconds();
        run(call);
        const double t = cpu_seconds() - start;
        if (i > 0 && t < best)
            best = t;
    }
    return best;
}

static size_t at_least(size_t a, size_t b)
{
    return a > b ? a : b;
}

/** Time both on zeros; weights are packed before, as in a plan. */
static bool time_both(const rvl_cpu_lowering *l, const rvl_cpu_conv *conv, const rvl_cpu_winograd *w, bool is_weight)
{
    const rvl_cpu_product *p = conv->products;
    const int64_t          b = l->isa->block;
    const size_t           n_src = (size_t)(p->n * p->src_blocks * p->n_src * b),
                 n_dst = (size_t)(p->n * p->dst_blocks * p->n_dst * b);
    const size_t n_weights = (size_t)(conv->w_rows * conv->w_columns * conv->n_kernel);
    const size_t panels = (size_t)(p->n_threads * RVL_CPU_PANEL_FLOATS);
    const size_t n_packed = at_least((size_t)conv->n_packed, (size_t)w->conv.n_packed);
    const size_t n_scratch = n_packed + at_least(panels, (size_t)(is_weight ? rvl__cpu_winograd_weight_scratch(w, b)
                                                                            : rvl__cpu_winograd_scratch(w, b)));
    float       *memory = rvl_alloc_aligned((n_src + n_dst + n_weights + n_packed + n_scratch + 64) * sizeof *memory);
    rvl_cpu_conv direct = *conv;
    rvl_cpu_winograd wino = *w;
    rvl_kernel_call  call = {.n_in = 2, .n_out = 1};

    if (!memory)
        return rule(w);
    memset(memory, 0, (n_src + n_dst + n_weights + n_packed + n_scratch) * sizeof *memory);
    call.in[0].data = memory;
    call.in[1].data = memory + n_src;
    call.out[0].data = is_weight ? memory + n_src + n_dst : memory + n_src;
    call.scratch = memory + n_src + n_dst + n_weights + n_packed;
    direct.packed = wino.conv.packed = memory + n_src + n_dst + n_weights;
    direct.relu = wino.conv.relu = direct.has_scale = wino.conv.has_scale = false;
    direct.has_residual = wino.conv.has_residual = false;
    const double t = best_time(is_weight ? l->isa->conv_bwd_weight : l->isa->conv, &call, &direct);
    const double u = best_time(is_weight ? l->isa->winograd_bwd_weight : l->isa->winograd, &call, &wino);
    rvl_free(memory);
    return u < t;
}

static char *key_of(const rvl_cpu_lowering *l, const rvl_cpu_winograd *w, bool is_weight)
{
    const rvl_cpu_product *p = w->conv.products;
    rvl_str                s = {0};

    rvl_str_addf(&s, "%s %s n%lld c%lld k%lld %lldx%lldx%lld d%lld t%d", l->isa->name,
                 is_weight ? "conv_bwd_weight" : "conv", (long long)p->n, (long long)p->n_src_channels,
                 (long long)p->n_dst_channels, (long long)p->dst[0], (long long)p->dst[1], (long long)p->dst[2],
                 (long long)w->n_depth, p->n_threads);
    return rvl_str_take(&s);
}

static bool timed(const rvl_cpu_lowering *l, const rvl_cpu_conv *conv, const rvl_cpu_winograd *w, bool is_weight)
{
    char       *key = key_of(l, w, is_weight);
    const char *answer;
    bool        is_winograd;

    if (!known)
        known = load_known();
    if (!key || !known) {
        rvl_free(key);
        return rule(w);
    }
    answer = json_string_value(json_object_get(known, key));
    if (answer) {
        is_winograd = strcmp(answer, "winograd") == 0;
    } else {
        is_winograd = time_both(l, conv, w, is_weight);
        json_object_set_new(known, key, json_string(is_winograd ? "winograd" : "direct"));
        has_news = true;
    }
    rvl_free(key);
    return is_winograd;
}

rvl_cpu_winograd *rvl__cpu_choose_winograd(rvl_cpu_lowering *l, const rvl_cpu_conv *conv, const int64_t kernel[3],
                                           bool is_weight)
{
    rvl_cpu_winograd *w = rvl__cpu_winograd(l, conv, kernel);
    const char       *want = getenv("RVL_CPU_CONV");
    bool              yes;

    if (!w)
        return NULL;
    if (want && *want)
        yes = strcmp(want, "winograd") == 0;
    else if (l->plan->opts.deterministic || flops(conv->products) > MAX_TIMED_FLOPS)
        yes = rule(w);
    else
        yes = timed(l, conv, w, is_weight);
    return yes ? w : NULL;
}
