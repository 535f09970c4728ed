/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/inspect_plan.c
 * rvl inspect RUN --plan: where the time and the memory of a run's step go.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/cmd.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All nodes of one kernel together. */
typedef struct {
    char    name[64];
    double  seconds;
    int64_t n, n_bytes;
} kernel_sum;

static int compare_seconds(const void *a, const void *b)
{
    const double x = ((const kernel_sum *)a)->seconds, y = ((const kernel_sum *)b)->seconds;

    return x < y ? 1 : x > y ? -1 : 0;
}

static void add_node(kernel_sum *sums, size_t *n_sums, const json_t *node)
{
    char   name[64];
    size_t i = 0;

    snprintf(name, sizeof name, "%s:%s", rvl_json_get_string(node, "backend", "?"),
             rvl_json_get_string(node, "kernel", "?"));
    while (i < *n_sums && strcmp(sums[i].name, name) != 0)
        i++;
    if (i == *n_sums) {
        memcpy(sums[i].name, name, sizeof name);
        ++*n_sums;
    }
    sums[i].seconds += rvl_json_get_f64(node, "seconds", 0);
    sums[i].n_bytes += rvl_json_get_i64(node, "bytes", 0);
    sums[i].n++;
}

static void print_plan(const json_t *plan, kernel_sum *sums)
{
    const double  mib = 1048576.0;
    const int64_t n_runs = rvl_json_get_i64(plan, "runs", 0);
    const json_t *node;
    size_t        i, n_sums = 0;
    double        all = 0;

    json_array_foreach(json_object_get(plan, "nodes"), i, node) add_node(sums, &n_sums, node);
    qsort(sums, n_sums, sizeof *sums, compare_seconds);
    for (i = 0; i < n_sums; i++)
        all += sums[i].seconds;
    printf("backend %s, %lld runs, %.1f ms each\n", rvl_json_get_string(plan, "backend", "?"), (long long)n_runs,
           n_runs ? 1000 * all / (double)n_runs : 0.0);
    printf("memory  weights %.1f MiB, arena %.1f (activations %.1f, gradients %.1f), without reuse %.1f\n",
           (double)rvl_json_get_i64(plan, "weight_bytes", 0) / mib,
           (double)rvl_json_get_i64(plan, "arena_bytes", 0) / mib,
           (double)rvl_json_get_i64(plan, "activation_bytes", 0) / mib,
           (double)rvl_json_get_i64(plan, "gradient_bytes", 0) / mib,
           (double)rvl_json_get_i64(plan, "unshared_bytes", 0) / mib);
    printf("\n%-28s %6s %10s %7s %10s\n", "kernel", "calls", "ms a run", "share", "MiB made");
    for (i = 0; i < n_sums; i++)
        printf("%-28s %6lld %10.2f %6.1f%% %10.1f\n", sums[i].name, (long long)sums[i].n,
               n_runs ? 1000 * sums[i].seconds / (double)n_runs : 0.0, all > 0 ? 100 * sums[i].seconds / all : 0.0,
               (double)sums[i].n_bytes / mib);
}

int cli_inspect_plan(rvl_cli *cli, const char *path)
{
    char       *file = rvl_path_is_dir(path) ? rvl_path_join(path, "plan.json") : rvl_strdup(path);
    json_t     *plan = NULL;
    kernel_sum *sums = NULL;
    rvl_error   err = {0};

    if (!file) {
        rvl_fail(&err, RVL_ERR_NOMEM, "out of memory");
    } else if (!rvl_path_exists(file)) {
        rvl_fail(&err, RVL_ERR_NOT_FOUND,
                 "there is no '%s'\nhint: training writes it into its run folder at the first step", file);
    } else if (rvl_json_load(&plan, file, &err)) {
        rvl_error_prefix(&err, "cannot show the plan");
    } else if (strcmp(rvl_json_get_string(plan, "schema", ""), "rvl.plan/1") != 0) {
        rvl_fail(&err, RVL_ERR_FORMAT, "'%s' is no plan (schema rvl.plan/1)", file);
    } else if (cli->json) {
        cli_print_json(cli, json_incref(plan));
    } else {
        sums = rvl_alloc_array(json_array_size(json_object_get(plan, "nodes")) + 1, sizeof *sums);
        if (sums)
            print_plan(plan, sums);
        else
            rvl_fail(&err, RVL_ERR_NOMEM, "out of memory");
    }
    rvl_free(sums);
    json_decref(plan);
    rvl_free(file);
    return err.code ? cli_fail(cli, &err) : 0;
}
