/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file bench/step.c
 * One model, stepped on command, for bench/vs_pytorch: reads lines from the standard input, runs one step for each
 * ("step"), and answers with a JSON line of wall and CPU seconds and peak memory.
 *
 *   bench_step MODEL train|infer BATCH SIZE     MODEL resnet18 resnet50 resnet18-3d resnet18-3d-lite bert-base; SIZE
 * pixels (of volumes half of it in depth) or tokens bench_step ... profile                      instead: seconds per
 * kernel of ten steps
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include "learn/optimizer.h"
#include "model/model.h"

typedef struct {
    const char *model;
    bool        is_train;
    int64_t     batch, size;
    rvl_params *params;
    rvl_state  *state;
    rvl_graph  *graph;
    rvl_plan   *plan;
    rvl_adamw  *optimizer;
} bench;

static double clock_s(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check(rvl_status st, const rvl_error *err)
{
    if (!st)
        return;
    fprintf(stderr, "bench_step: %s\n", err->text);
    exit(1);
}

static rvl_node *build_image(bench *b)
{
    const bool        is_3d = strstr(b->model, "3d") != NULL;
    rvl_resnet_config cfg = {
        .width = 64, .blocks = {2, 2, 2, 2}, .stem_kernel = 7, .stem_stride = 2, .stem_pool = true};
    const int64_t shape[5] = {b->batch, is_3d ? 1 : 3, b->size, b->size, b->size};
    const int64_t volume[5] = {b->batch, 1, b->size / 2, b->size, b->size};

    if (strcmp(b->model, "resnet50") == 0)
        cfg = (rvl_resnet_config){.width = 64,
                                  .blocks = {3, 4, 6, 3},
                                  .bottleneck = true,
                                  .stem_kernel = 7,
                                  .stem_stride = 2,
                                  .stem_pool = true};
    if (is_3d) {
        cfg.stem_kernel = cfg.stem_stride = strstr(b->model, "lite") ? 4 : 2;
        cfg.stem_pool = false;
    }
    rvl_node *x = rvl_input(b->graph, "x", RVL_DTYPE_F32, is_3d ? 5 : 4, is_3d ? volume : shape);
    return rvl_head_build(b->graph, rvl_resnet_build(b->graph, x, &cfg, b->is_train, 0).pooled, is_3d ? 18 : 1000);
}

static rvl_node *build_text(bench *b)
{
    const rvl_bert_config cfg = {.vocab_size = 30522,
                                 .hidden = 768,
                                 .n_layers = 12,
                                 .n_heads = 12,
                                 .intermediate = 3072,
                                 .max_positions = 512,
                                 .type_vocab = 2,
                                 .layer_norm_eps = 1e-12,
                                 .pooling = RVL_POOLING_CLS};
    const int64_t         shape[2] = {b->batch, b->size};

    rvl_node *ids = rvl_input(b->graph, "ids", RVL_DTYPE_I32, 2, shape);
    rvl_node *mask = rvl_input(b->graph, "mask", RVL_DTYPE_F32, 2, shape);
    return rvl_bert_build(b->graph, ids, mask, &cfg, b->is_train).pooled;
}

static void open_bench(bench *b)
{
    rvl_error err = {0};

    check(rvl_params_new(&b->params, 1, &err), &err);
    check(rvl_state_new(&b->state, &err), &err);
    check(rvl_graph_new(&b->graph, b->params, b->state, RVL_DTYPE_F32, &err), &err);
    rvl_node *y = strncmp(b->model, "bert", 4) == 0 ? build_text(b) : build_image(b);
    if (b->is_train) {
        rvl_node *loss = rvl_mean(rvl_unary(y, RVL_UNARY_SQUARE, 0, 0), 3, false);
        rvl_output(b->graph, "loss", loss);
        rvl_graph_backward(b->graph, 1, &loss, NULL);
        rvl_graph_output_weight_grads(b->graph);
    } else {
        rvl_output(b->graph, "y", y);
    }
    check(rvl_plan_new(&b->plan, b->graph, (rvl_plan_opts){0}, &err), &err);
    if (b->is_train)
        check(rvl_adamw_new(&b->optimizer, b->params,
                            (rvl_adamw_opts){.beta1 = 0.9,
                                             .beta2 = 0.999,
                                             .eps = 1e-8,
                                             .n_groups = 1,
                                             .no_sum = true,
                                             .groups = {{.lr_scale = 1, .weight_decay = 0.01}}},
                            &err),
              &err);
    static const char *const names[] = {"x", "ids", "mask"};
    for (int i = 0; i < 3; i++) {
        rvl_tensor *t = rvl_plan_input(b->plan, names[i]);
        for (int64_t k = 0; t && k < rvl_tensor_count(t); k++) {
            if (i == 1)
                ((int32_t *)rvl_tensor_data(t))[k] = (int32_t)(k * 7919 % 30522);
            else
                ((float *)rvl_tensor_data(t))[k] = i == 2 ? 1.0F : (float)(k * 7919 % 1009) / 504.5F - 1.0F;
        }
    }
}

static void step(bench *b)
{
    rvl_error err = {0};

    check(rvl_plan_run(b->plan, &err), &err);
    if (!b->is_train)
        return;
    rvl_adamw_zero_grad(b->optimizer);
    rvl_adamw_accumulate(b->optimizer, b->plan);
    rvl_adamw_step(b->optimizer, 1e-4, 1.0);
    rvl_state_commit(b->state);
}

static void answer(bench *b)
{
    const double  wall = clock_s(CLOCK_MONOTONIC), cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    struct rusage use;

    step(b);
    getrusage(RUSAGE_SELF, &use);
    printf("{\"wall_s\": %.6f, \"cpu_s\": %.6f, \"peak_mib\": %.1f}\n", clock_s(CLOCK_MONOTONIC) - wall,
           clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu, (double)use.ru_maxrss / 1024.0);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    bench b = {0};
    char  line[64];

    if (argc < 5) {
        fprintf(stderr, "usage: bench_step MODEL train|infer BATCH SIZE [profile]\n");
        return 2;
    }
    b.model = argv[1];
    b.is_train = strcmp(argv[2], "train") == 0;
    b.batch = atoll(argv[3]);
    b.size = atoll(argv[4]);
    open_bench(&b);
    if (argc > 5) {
        rvl_error err = {0};
        char     *text;

        for (int i = 0; i < 10; i++)
            answer(&b);
        check(rvl_plan_describe(&text, b.plan, &err), &err);
        puts(text);
        rvl_text_free(text);
    }
    while (argc == 5 && fgets(line, sizeof line, stdin))
        answer(&b);
    rvl_adamw_free(b.optimizer);
    rvl_plan_free(b.plan);
    rvl_graph_free(b.graph);
    rvl_state_free(b.state);
    rvl_params_free(b.params);
    return 0;
}
