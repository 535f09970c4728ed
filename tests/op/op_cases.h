/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/op/op_cases.h
 * The op table: one row per operation, shapes and attributes, shared by test_op_check.c (kernels against naive
 * code) and test_op_grad.c (gradients against finite differences). Rows are forward operations; a row covers the
 * backward kernels of its operation too.
 */
#ifndef RVL_TESTS_OP_CASES_H
#define RVL_TESTS_OP_CASES_H
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "engine/kernels.h"

typedef struct {
    int     n_dims;
    int64_t shape[RVL_MAX_DIMS];
} op_shape;

/* How inputs are filled: the default keeps away from kinks (multiples of 1/64), and has no ties. */
typedef enum {
    FILL_SIGNED,   /* -1 .. 1 */
    FILL_POSITIVE, /* 0.3 .. 1.5 */
    FILL_UNIT,     /* 0 .. 1 */
    FILL_ROWS,     /* probabilities, each row sums to 1 */
    FILL_WEIGHTS,  /* 0 for every fifth, else 0.3 .. 1.5 */
    FILL_IDS,      /* ids below `n_ids` */
    FILL_IDS_SKIP  /* the same, every fourth -1 */
} op_fill;

typedef struct {
    const char *name;
    rvl_op      op;
    int         n_in;
    op_shape    in[4];
    op_fill     fill[4];
    op_shape    to; /* wanted shape of broadcast, sum_to and reshape */
    rvl_op_attr attr;
} op_case;

/* clang-format off */
#define S(...) {sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}}
#define ONE(label, OP, x) {.name = label, .op = RVL_OP_##OP, .n_in = 1, .in = {x}},
#define ONE_WITH(label, OP, x, ...) {.name = label, .op = RVL_OP_##OP, .n_in = 1, .in = {x}, __VA_ARGS__},
#define TWO(label, OP, a, b) {.name = label, .op = RVL_OP_##OP, .n_in = 2, .in = {a, b}},
#define TWO_WITH(label, OP, a, b, ...) {.name = label, .op = RVL_OP_##OP, .n_in = 2, .in = {a, b}, __VA_ARGS__},
#define THREE(label, OP, a, b, c) {.name = label, .op = RVL_OP_##OP, .n_in = 3, .in = {a, b, c}},
#define THREE_WITH(label, OP, a, b, c, ...) {.name = label, .op = RVL_OP_##OP, .n_in = 3, .in = {a, b, c}, __VA_ARGS__},
/* x, w, then rvl_conv_attr: stride, pad_before, pad_after, dilation, groups. */
#define CONV(label, x, w, ...) TWO_WITH("conv/" label, CONV, S x, S w, .attr.conv = {__VA_ARGS__})
#define POOL(label, OP, x, ...) ONE_WITH(label, OP, S x, .attr.pool = {__VA_ARGS__})
#define MATMUL(label, a, b, ta, tb) TWO_WITH("matmul/" label, MATMUL, S a, S b, .attr.matmul = {ta, tb})
#define UNARY(label, KIND, how, ...)                                                                                   \
    ONE_WITH("unary/" label, UNARY, S(3, 17, 5), .fill = {how}, .attr.unary = {RVL_UNARY_##KIND, __VA_ARGS__})
#define BATCH_NORM(label, x, n_channels, of)                                                                           \
    THREE_WITH("batch_norm/" label, BATCH_NORM, S x, S(n_channels), S(n_channels), .fill = {0, FILL_POSITIVE, 0},      \
               .attr.batch_norm = {true, of, 0.1, 1e-5})
#define LAYER_NORM(label, x, width)                                                                                    \
    THREE_WITH("layer_norm/" label, LAYER_NORM, S x, S(width), S(width), .fill = {0, FILL_POSITIVE, 0},                \
               .attr.eps = {1e-5})

static const op_case op_cases[] = {
    CONV("1d/n3c1w17o3_k5", (3, 1, 17), (3, 1, 5), {1}, {0}, {0}, {1}, 1)
    CONV("1d/n2c3w23o17_k3s2p1", (2, 3, 23), (17, 3, 3), {2}, {1}, {1}, {1}, 1)
    CONV("1d/n2c3w19o4_k3d3s2", (2, 3, 19), (4, 3, 3), {2}, {3}, {2}, {3}, 1)
    CONV("1d/n1c2w9o2_k2s4_gaps", (1, 2, 9), (2, 2, 2), {4}, {0}, {0}, {1}, 1)
    CONV("2d/n3c1h9w7o1_k3p1", (3, 1, 9, 7), (1, 1, 3, 3), {1, 1}, {1, 1}, {1, 1}, {1, 1}, 1)
    CONV("2d/n3c3h11w13o17_k3p1", (3, 3, 11, 13), (17, 3, 3, 3), {1, 1}, {1, 1}, {1, 1}, {1, 1}, 1)
    CONV("2d/n3c17h7w5o3_k3p1", (3, 17, 7, 5), (3, 17, 3, 3), {1, 1}, {1, 1}, {1, 1}, {1, 1}, 1)
    CONV("2d/n2c35h9w13o67_k3p1_winograd", (2, 35, 9, 13), (67, 35, 3, 3), {1, 1}, {1, 1}, {1, 1}, {1, 1}, 1)
    CONV("2d/n1c19h8w7o21_k3_no_pad", (1, 19, 8, 7), (21, 19, 3, 3), {1, 1}, {0, 0}, {0, 0}, {1, 1}, 1)
    CONV("2d/n2c18h6w7o20_k3_pad2x0", (2, 18, 6, 7), (20, 18, 3, 3), {1, 1}, {2, 0}, {0, 2}, {1, 1}, 1)
    CONV("3d/n2c17d4h5w7o19_k3p1_winograd", (2, 17, 4, 5, 7), (19, 17, 3, 3, 3), {1, 1, 1}, {1, 1, 1}, {1, 1, 1},
         {1, 1, 1}, 1)
    CONV("3d/n1c18d5h6w4o17_k5x3x3", (1, 18, 5, 6, 4), (17, 18, 5, 3, 3), {1, 1, 1}, {2, 1, 1}, {2, 1, 1}, {1, 1, 1}, 1)
    CONV("3d/n1c17d3h4w4o18_k1x3x3", (1, 17, 3, 4, 4), (18, 17, 1, 3, 3), {1, 1, 1}, {0, 1, 1}, {0, 1, 1}, {1, 1, 1}, 1)
    CONV("2d/n2c17h5w5o35_k3p1_tiles", (2, 17, 5, 5), (35, 17, 3, 3), {1, 1}, {1, 1}, {1, 1}, {1, 1}, 1)
    CONV("2d/n3c3h15w13o5_k7s2p3", (3, 3, 15, 13), (5, 3, 7, 7), {2, 2}, {3, 3}, {3, 3}, {1, 1}, 1)
    CONV("2d/n3c17h9w9o8_k1s2", (3, 17, 9, 9), (8, 17, 1, 1), {2, 2}, {0, 0}, {0, 0}, {1, 1}, 1)
    CONV("2d/n1c3h9w8o4_k3x2s2x3_asym", (1, 3, 9, 8), (4, 3, 3, 2), {2, 3}, {2, 0}, {0, 1}, {1, 1}, 1)
    CONV("2d/n2c3h13w11o4_k3d2x3p2", (2, 3, 13, 11), (4, 3, 3, 3), {1, 1}, {2, 2}, {2, 2}, {2, 3}, 1)
    CONV("2d/n2c3h13w12o4_k3s2d2", (2, 3, 13, 12), (4, 3, 3, 3), {2, 2}, {1, 2}, {2, 1}, {2, 2}, 1)
    CONV("2d/n2c6h7w7o4_k3p1g2", (2, 6, 7, 7), (4, 3, 3, 3), {1, 1}, {1, 1}, {1, 1}, {1, 1}, 2)
    CONV("2d/n3c17h7w9_depthwise_s2", (3, 17, 7, 9), (17, 1, 3, 3), {2, 2}, {1, 1}, {1, 1}, {1, 1}, 17)
    CONV("2d/n2c3h6w6o9_k3_multiplier3", (2, 3, 6, 6), (9, 1, 3, 3), {1, 1}, {0, 0}, {0, 0}, {1, 1}, 3)
    CONV("2d/n2c3h16w16o5_patch8", (2, 3, 16, 16), (5, 3, 8, 8), {8, 8}, {0, 0}, {0, 0}, {1, 1}, 1)
    CONV("3d/n1c1d5h7w9o3_k3p1", (1, 1, 5, 7, 9), (3, 1, 3, 3, 3), {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, 1)
    CONV("3d/n3c3d5h6w7o4_k3s2p1", (3, 3, 5, 6, 7), (4, 3, 3, 3, 3), {2, 2, 2}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, 1)
    CONV("3d/n2c4d5h5w4o6_k3x1x2g2_asym", (2, 4, 5, 5, 4), (6, 2, 3, 1, 2), {1, 2, 1}, {2, 0, 1}, {0, 0, 0},
         {1, 1, 2}, 2)
    CONV("3d/n3c17d3h3w3o3_k1", (3, 17, 3, 3, 3), (3, 17, 1, 1, 1), {1, 1, 1}, {0, 0, 0}, {0, 0, 0}, {1, 1, 1}, 1)
    POOL("max_pool/1d/n3c3w17_k3s2p1", MAX_POOL, (3, 3, 17), {3}, {2}, {1})
    POOL("max_pool/2d/n3c17h9w11_k3s2p1", MAX_POOL, (3, 17, 9, 11), {3, 3}, {2, 2}, {1, 1})
    POOL("max_pool/2d/n2c1h7w9_k2", MAX_POOL, (2, 1, 7, 9), {2, 2}, {2, 2}, {0, 0})
    POOL("max_pool/2d/n1c3h8w5_k3x2s1", MAX_POOL, (1, 3, 8, 5), {3, 2}, {1, 1}, {1, 0})
    POOL("max_pool/3d/n2c3d5h7w6_k3s2p1", MAX_POOL, (2, 3, 5, 7, 6), {3, 3, 3}, {2, 2, 2}, {1, 1, 1})
    POOL("avg_pool/1d/n3c1w11_k3s2p1", AVG_POOL, (3, 1, 11), {3}, {2}, {1})
    POOL("avg_pool/2d/n3c17h9w7_k3s2p1", AVG_POOL, (3, 17, 9, 7), {3, 3}, {2, 2}, {1, 1})
    POOL("avg_pool/2d/n2c3h5w6_k5x6_global", AVG_POOL, (2, 3, 5, 6), {5, 6}, {5, 6}, {0, 0})
    POOL("avg_pool/2d/n2c3h8w8_k2s3_gaps", AVG_POOL, (2, 3, 8, 8), {2, 2}, {3, 3}, {0, 0})
    POOL("avg_pool/3d/n2c3d5h6w7_k2s1", AVG_POOL, (2, 3, 5, 6, 7), {2, 2, 2}, {1, 1, 1}, {0, 0, 0})
    MATMUL("2d/m17k3n5", (17, 3), (3, 5), false, false)
    MATMUL("2d/m1k1n1", (1, 1), (1, 1), false, false)
    MATMUL("2d/m35k67n131_tiles", (35, 67), (67, 131), false, false)
    MATMUL("2d/m35k67n131_nt", (35, 67), (131, 67), false, true)
    MATMUL("2d/m35k67n131_tn", (67, 35), (67, 131), true, false)
    MATMUL("2d/m35k67n131_tt", (67, 35), (131, 67), true, true)
    MATMUL("3d/b3m5k17n7", (3, 5, 17), (3, 17, 7), false, false)
    MATMUL("3d/b3m5k17n7_nt", (3, 5, 17), (3, 7, 17), false, true)
    MATMUL("3d/b3m5k17n7_tn", (3, 17, 5), (3, 17, 7), true, false)
    MATMUL("3d/b3m5k17n7_tt", (3, 17, 5), (3, 7, 17), true, true)
    MATMUL("3d/b3m5k4n7_shared_b", (3, 5, 4), (4, 7), false, false)
    MATMUL("3d/b3m5k4n7_shared_b_nt", (3, 5, 4), (7, 4), false, true)
    MATMUL("3d/b3m5k4n7_shared_b_tn", (3, 4, 5), (4, 7), true, false)
    MATMUL("3d/b3m5k4n7_shared_b_tt", (3, 4, 5), (7, 4), true, true)
    MATMUL("3d/b3m5k4n7_shared_a", (5, 4), (3, 4, 7), false, false)
    MATMUL("3d/b3m5k4n7_shared_a_nt", (5, 4), (3, 7, 4), false, true)
    MATMUL("3d/b3m5k4n7_shared_a_tn", (4, 5), (3, 4, 7), true, false)
    MATMUL("3d/b3m5k4n7_shared_a_tt", (4, 5), (3, 7, 4), true, true)
    MATMUL("4d/b2x3m5k3n4_nt", (2, 3, 5, 3), (2, 3, 4, 3), false, true)
    TWO("add/same", ADD, S(3, 17, 5), S(3, 17, 5))
    TWO("add/bias", ADD, S(3, 5, 17), S(17))
    TWO("add/channel", ADD, S(3, 17, 3, 5), S(1, 17, 1, 1))
    TWO("add/both_ways", ADD, S(3, 1, 5), S(1, 17, 1))
    TWO("add/scalar_left", ADD, S(1), S(3, 17))
    TWO("add/more_axes_right", ADD, S(5, 1), S(3, 2, 5, 7))
    TWO("sub/same", SUB, S(3, 17, 5), S(3, 17, 5))
    TWO("sub/row_left", SUB, S(17), S(3, 5, 17))
    TWO("mul/same", MUL, S(3, 17, 5), S(3, 17, 5))
    TWO("mul/channel", MUL, S(3, 17, 3, 5), S(17, 1, 1))
    TWO("mul/scalar_right", MUL, S(3, 17), S(1, 1))
    TWO("mul/inner_outer", MUL, S(3, 1, 5, 1), S(1, 4, 5, 6))
    TWO_WITH("div/same", DIV, S(3, 17, 5), S(3, 17, 5), .fill = {0, FILL_POSITIVE})
    TWO_WITH("div/column", DIV, S(3, 17, 5), S(3, 17, 1), .fill = {0, FILL_POSITIVE})
    TWO_WITH("div/row_left", DIV, S(1, 5), S(3, 17, 5), .fill = {0, FILL_POSITIVE})
    ONE_WITH("affine/n3c17", AFFINE, S(3, 17), .attr.affine = {-1.75, 0.3})
    UNARY("exp", EXP, FILL_SIGNED, 0, 0)
    UNARY("log", LOG, FILL_POSITIVE, 0, 0)
    UNARY("sqrt", SQRT, FILL_POSITIVE, 0, 0)
    UNARY("square", SQUARE, FILL_SIGNED, 0, 0)
    UNARY("relu", RELU, FILL_SIGNED, 0, 0)
    UNARY("leaky_relu", LEAKY_RELU, FILL_SIGNED, 0.2, 0)
    UNARY("gelu_erf", GELU_ERF, FILL_SIGNED, 0, 0)
    UNARY("gelu_tanh", GELU_TANH, FILL_SIGNED, 0, 0)
    UNARY("gelu_quick", GELU_QUICK, FILL_SIGNED, 0, 0)
    UNARY("silu", SILU, FILL_SIGNED, 0, 0)
    UNARY("sigmoid", SIGMOID, FILL_SIGNED, 0, 0)
    UNARY("tanh", TANH, FILL_SIGNED, 0, 0)
    UNARY("softplus", SOFTPLUS, FILL_SIGNED, 0, 0)
    UNARY("clamp", CLAMP, FILL_SIGNED, -0.5, 0.75)
    ONE("softmax/n3k17", SOFTMAX, S(3, 17))
    ONE("softmax/n2h3t5k2", SOFTMAX, S(2, 3, 5, 2))
    ONE("log_softmax/n3k17", LOG_SOFTMAX, S(3, 17))
    ONE("log_softmax/n3t5k3", LOG_SOFTMAX, S(3, 5, 3))
    ONE_WITH("l2_normalize/n3e17", L2_NORMALIZE, S(3, 17), .attr.eps = {1e-12})
    ONE_WITH("l2_normalize/n3t5e3", L2_NORMALIZE, S(3, 5, 3), .attr.eps = {1e-12})
    ONE_WITH("l2_normalize/below_eps", L2_NORMALIZE, S(3, 5), .attr.eps = {1e3})
    LAYER_NORM("n3e17", (3, 17), 17)
    LAYER_NORM("n3t5e67", (3, 5, 67), 67)
    LAYER_NORM("n3e3", (3, 3), 3)
    THREE("scale_shift/n3c17h5w3", SCALE_SHIFT, S(3, 17, 5, 3), S(17), S(17))
    THREE("scale_shift/n5c3", SCALE_SHIFT, S(5, 3), S(3), S(3))
    THREE("scale_shift/large", SCALE_SHIFT, S(6, 17, 13, 13), S(17), S(17))
    BATCH_NORM("n3c17h5w3", (3, 17, 5, 3), 17, 3)
    BATCH_NORM("n6c3h5w7_groups", (6, 3, 5, 7), 3, 2)
    BATCH_NORM("n5c3", (5, 3), 3, 5)
    BATCH_NORM("n3c1d3h4w5", (3, 1, 3, 4, 5), 1, 3)
    ONE_WITH("sum/all", SUM, S(3, 17, 5), .attr.reduce = {7, false, 1.0})
    ONE_WITH("sum/last_keep", SUM, S(3, 17, 5), .attr.reduce = {4, true, 1.0})
    ONE_WITH("sum/first", SUM, S(3, 17, 67), .attr.reduce = {1, false, 1.0})
    ONE_WITH("sum/middle", SUM, S(3, 17, 5), .attr.reduce = {2, false, 1.0})
    ONE_WITH("sum/spatial", SUM, S(3, 17, 3, 5), .attr.reduce = {12, false, 1.0})
    ONE_WITH("sum/batch_and_spatial", SUM, S(3, 17, 3, 5), .attr.reduce = {13, true, 1.0})
    ONE_WITH("mean/all_keep", SUM, S(3, 17, 5), .attr.reduce = {7, true, 1.0 / 255.0})
    ONE_WITH("mean/alternating", SUM, S(3, 4, 5, 6), .attr.reduce = {10, false, 1.0 / 24.0})
    ONE_WITH("broadcast/row", BROADCAST, S(17), .to = S(3, 5, 17))
    ONE_WITH("broadcast/channel", BROADCAST, S(1, 17, 1, 1), .to = S(3, 17, 3, 5))
    ONE_WITH("broadcast/scalar", BROADCAST, S(1), .to = S(3, 5))
    ONE_WITH("sum_to/row", SUM_TO, S(3, 5, 17), .to = S(17))
    ONE_WITH("sum_to/channel", SUM_TO, S(3, 17, 3, 5), .to = S(1, 17, 1, 1))
    ONE_WITH("sum_to/scalar", SUM_TO, S(3, 5), .to = S(1))
    ONE_WITH("sum_to/same", SUM_TO, S(3, 5), .to = S(3, 5))
    ONE_WITH("reshape/n3x35", RESHAPE, S(3, 5, 7), .to = S(3, 35))
    ONE_WITH("transpose/2d", TRANSPOSE, S(3, 17), .attr.perm = {{1, 0}})
    ONE_WITH("transpose/heads", TRANSPOSE, S(3, 5, 2, 7), .attr.perm = {{0, 2, 1, 3}})
    ONE_WITH("transpose/rotate", TRANSPOSE, S(3, 5, 17), .attr.perm = {{2, 0, 1}})
    ONE_WITH("slice/first_axis", SLICE, S(5, 3), .attr.slice = {0, 1, 3})
    ONE_WITH("slice/middle", SLICE, S(3, 17, 5), .attr.slice = {1, 4, 9})
    ONE_WITH("slice/last", SLICE, S(3, 5, 7), .attr.slice = {2, 4, 3})
    THREE_WITH("concat/middle", CONCAT, S(3, 1, 5), S(3, 17, 5), S(3, 2, 5), .attr.axis = {1})
    TWO_WITH("concat/last", CONCAT, S(3, 5), S(3, 2), .attr.axis = {1})
    ONE_WITH("concat/single", CONCAT, S(3, 5), .attr.axis = {0})
    TWO_WITH("embedding/v7e17", EMBEDDING, S(7, 17), S(3, 5), .fill = {0, FILL_IDS})
    TWO_WITH("embedding/v3e520", EMBEDDING, S(3, 520), S(9), .fill = {0, FILL_IDS})
    ONE_WITH("dropout/p30", DROPOUT, S(3, 17, 5), .attr.dropout = {0.3, 12345})
    THREE_WITH("bce/n3k17", BCE, S(3, 17), S(3, 17), S(3, 17), .fill = {0, FILL_UNIT, FILL_WEIGHTS})
    THREE_WITH("bce/n5k1", BCE, S(5, 1), S(5, 1), S(5, 1), .fill = {0, FILL_UNIT, FILL_POSITIVE})
    TWO_WITH("cross_entropy/n3k17", CROSS_ENTROPY, S(3, 17), S(3), .fill = {0, FILL_IDS})
    TWO_WITH("cross_entropy/n9k3_ignored", CROSS_ENTROPY, S(9, 3), S(9), .fill = {0, FILL_IDS_SKIP})
    TWO_WITH("cross_entropy_soft/n3k17", CROSS_ENTROPY_SOFT, S(3, 17), S(3, 17), .fill = {0, FILL_ROWS})
    TWO_WITH("cross_entropy_soft/n5k3_not_normalised", CROSS_ENTROPY_SOFT, S(5, 3), S(5, 3), .fill = {0, FILL_UNIT})

    /* Large enough for several threads. */
    POOL("max_pool/2d/large", MAX_POOL, (3, 17, 19, 19), {3, 3}, {2, 2}, {1, 1})
    POOL("avg_pool/2d/large", AVG_POOL, (3, 17, 19, 19), {3, 3}, {2, 2}, {1, 1})
    TWO("add/large", ADD, S(3, 67, 97), S(67, 1))
    TWO("mul/large", MUL, S(3, 67, 97), S(3, 67, 97))
    ONE_WITH("affine/large", AFFINE, S(131, 131), .attr.affine = {0.7, -2.0})
    ONE_WITH("unary/relu_large", UNARY, S(131, 131), .attr.unary = {RVL_UNARY_RELU, 0, 0})
    ONE_WITH("unary/gelu_erf_large", UNARY, S(67, 17), .attr.unary = {RVL_UNARY_GELU_ERF, 0, 0})
    ONE("softmax/large", SOFTMAX, S(131, 131))
    ONE("log_softmax/large", LOG_SOFTMAX, S(67, 17))
    ONE_WITH("l2_normalize/large", L2_NORMALIZE, S(131, 131), .attr.eps = {1e-12})
    LAYER_NORM("large", (131, 131), 131)
    BATCH_NORM("large_groups", (6, 17, 13, 13), 17, 2)
    ONE_WITH("sum/large_rows", SUM, S(17, 67, 17), .attr.reduce = {5, false, 1.0})
    ONE_WITH("sum/large_columns", SUM, S(131, 131), .attr.reduce = {1, false, 1.0})
    ONE_WITH("broadcast/large", BROADCAST, S(67, 1), .to = S(3, 67, 97))
    ONE_WITH("transpose/large", TRANSPOSE, S(3, 67, 97), .attr.perm = {{0, 2, 1}})
    TWO_WITH("embedding/large", EMBEDDING, S(17, 520), S(35), .fill = {0, FILL_IDS})
    ONE_WITH("dropout/large", DROPOUT, S(67, 17), .attr.dropout = {0.5, 99})
    THREE_WITH("bce/large", BCE, S(67, 17), S(67, 17), S(67, 17), .fill = {0, FILL_UNIT, FILL_WEIGHTS})
    TWO_WITH("cross_entropy/large", CROSS_ENTROPY, S(67, 17), S(67), .fill = {0, FILL_IDS_SKIP})
    TWO_WITH("cross_entropy_soft/large", CROSS_ENTROPY_SOFT, S(67, 17), S(67, 17), .fill = {0, FILL_ROWS})
};
/* clang-format on */
#define N_OP_CASES (sizeof op_cases / sizeof op_cases[0])

static int64_t shape_count(const op_shape *s)
{
    int64_t n = 1;

    for (int i = 0; i < s->n_dims; i++)
        n *= s->shape[i];
    return n;
}

static uint64_t random_state;

/* splitmix64, in [0, 1). */
static double random_unit(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

/* Each row has its own random numbers, so that a filtered run sees the same values. */
static void random_start(const char *name)
{
    random_state = 1;
    for (; *name; name++)
        random_state = random_state * 1099511628211u + (unsigned char)*name;
}

static void fill_values(double *x, const op_shape *s, op_fill fill, int64_t n_ids)
{
    const int64_t n = shape_count(s), width = s->shape[s->n_dims - 1];

    for (int64_t i = 0; i < n; i++) {
        const double u = random_unit();

        if (fill == FILL_SIGNED)
            x[i] = (floor(u * 128.0) + 0.25 + 0.5 * random_unit()) / 64.0 - 1.0;
        else if (fill == FILL_POSITIVE)
            x[i] = 0.3 + 1.2 * u;
        else if (fill == FILL_WEIGHTS)
            x[i] = i % 5 == 2 ? 0.0 : 0.3 + 1.2 * u;
        else if (fill == FILL_IDS || fill == FILL_IDS_SKIP)
            x[i] = fill == FILL_IDS_SKIP && i % 4 == 2 ? -1.0 : floor(u * (double)n_ids);
        else
            x[i] = u;
    }
    for (int64_t row = 0; fill == FILL_ROWS && row < n / width; row++) {
        double sum = 0.0;

        for (int64_t i = 0; i < width; i++)
            sum += x[row * width + i];
        for (int64_t i = 0; i < width; i++)
            x[row * width + i] /= sum;
    }
}

/* Ids of a row lie below this: the rows of the table, or the classes. */
static int64_t case_n_ids(const op_case *c)
{
    return c->op == RVL_OP_EMBEDDING ? c->in[0].shape[0] : c->in[0].shape[1];
}

static bool case_input_is_ids(const op_case *c, int i)
{
    return c->fill[i] == FILL_IDS || c->fill[i] == FILL_IDS_SKIP;
}

#endif /* RVL_TESTS_OP_CASES_H */
