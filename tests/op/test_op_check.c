/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/op/test_op_check.c
 * The op table, modes check and support: every kernel of the reference backend against naive code, in f32 and f64,
 * with one thread and with two (the bits must agree), with canaries behind each output.
 *
 *   test_op_check [TEXT]     only rows whose name contains TEXT
 */
#include <omp.h>
#include <stdlib.h>
#include "op/op_naive_case.h"

#define MAX_MSE_F32 1e-7
#define MAX_MSE_F64 1e-13
#define CANARY 16 /* elements behind each output */
#define MAX_VALUES 5

static const char *program;
static int         n_passed, n_failed;
static bool        op_was_checked[RVL_OP_COUNT];
static bool        is_quiet; /* the self-test provokes failures */

static void report(const op_case *c, const char *kernel, const char *dtype, const char *verdict, double number)
{
    n_failed++;
    if (!is_quiet)
        printf("%s %s %s %s (%.3g)\n  rerun: %s '%s'\n", verdict, c->name, kernel, dtype, number, program, c->name);
}

static const char *op_name(rvl_op op)
{
    static const char *const names[] = {
#define X(NAME, name, n_in, n_out, attr) #name,
#include "engine/ops.def"
#undef X
    };

    return names[op];
}

/* Compare one output with what naive code says: normalised mean squared error, or the verdict. */
static bool outcome_is_good(const op_case *c, const char *kernel, const char *dtype, const value *expected,
                            const double *got, double max_mse)
{
    const int64_t n = shape_count(&expected->s);
    double        error = 0.0, power = 0.0;
    int64_t       n_zero = 0;

    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(got[i]) || !isfinite(expected->d[i])) {
            report(c, kernel, dtype, "FAIL not finite:", (double)i);
            return false;
        }
        error += (got[i] - expected->d[i]) * (got[i] - expected->d[i]);
        power += expected->d[i] * expected->d[i];
        n_zero += fabs(got[i]) < 1e-300;
    }
    if (expected->is_ids ? error > 0.0 : !(error <= max_mse * power)) {
        report(c, kernel, dtype, "FAIL", error / power);
        return false;
    }
    if (!expected->is_ids && 16 * n_zero > 15 * n) {
        report(c, kernel, dtype, "MISTRUSTED mostly zero:", (double)n_zero / (double)n);
        return false;
    }
    return true;
}

/* Storage of one kernel call; outputs start as canaries everywhere. */
static union {
    double  f64[1 << 17];
    float   f32[1 << 17];
    int32_t i32[1 << 17];
} store[2 * MAX_VALUES];

static rvl_buf buf_of(const value *v, rvl_dtype dtype, void *data)
{
    rvl_buf b = {.data = data, .dtype = v->is_ids ? RVL_DTYPE_I32 : dtype, .n_dims = v->s.n_dims};

    b.count = shape_count(&v->s);
    memcpy(b.shape, v->s.shape, sizeof b.shape);
    return b;
}

static void buf_write(const rvl_buf *b, const double *from)
{
    for (int64_t i = 0; i < b->count; i++) {
        if (b->dtype == RVL_DTYPE_F64)
            ((double *)b->data)[i] = from[i];
        else if (b->dtype == RVL_DTYPE_F32)
            ((float *)b->data)[i] = (float)from[i];
        else
            ((int32_t *)b->data)[i] = (int32_t)from[i];
    }
}

static double buf_read(const rvl_buf *b, int64_t i)
{
    if (b->dtype == RVL_DTYPE_F64)
        return ((const double *)b->data)[i];
    if (b->dtype == RVL_DTYPE_F32)
        return (double)((const float *)b->data)[i];
    return ((const int32_t *)b->data)[i];
}

static size_t buf_bytes(const rvl_buf *b, int64_t n_more)
{
    return (size_t)(b->count + n_more) * (b->dtype == RVL_DTYPE_F64 ? sizeof(double) : sizeof(float));
}

/* Run with one thread and two; compare bits and canaries, then the values with `out`. */
static void check_kernel(const op_case *c, rvl_op op, int n_in, const value *in, int n_out, const value *out,
                         rvl_dtype dtype)
{
    static unsigned char first[3][sizeof store[0]];
    const char          *type = dtype == RVL_DTYPE_F64 ? "f64" : "f32";
    rvl_kernel_call      call = {.n_in = n_in, .n_out = n_out, .attr = c->attr, .seed = CHECK_SEED, .step = CHECK_STEP};
    bool                 good = true;

    op_was_checked[op] = true;
    for (int i = 0; i < n_in; i++) {
        call.in[i] = buf_of(&in[i], dtype, &store[i]);
        buf_write(&call.in[i], in[i].d);
    }
    for (int threads = 1; threads <= 2; threads++) {
        omp_set_num_threads(threads);
        for (int i = 0; i < n_out; i++) {
            call.out[i] = buf_of(&out[i], dtype, &store[MAX_VALUES + i]);
            memset(call.out[i].data, 0xff, buf_bytes(&call.out[i], CANARY)); /* NaN, or -1 */
        }
        rvl_ref_kernels()->kernels[op](&call);
        for (int i = 0; i < n_out; i++) {
            const unsigned char *bytes = call.out[i].data;

            for (size_t k = buf_bytes(&call.out[i], 0); k < buf_bytes(&call.out[i], CANARY); k++) {
                if (bytes[k] != 0xff && good) {
                    report(c, op_name(op), type, "FAIL writes behind output", i);
                    good = false;
                }
            }
            if (threads == 1) {
                memcpy(first[i], bytes, buf_bytes(&call.out[i], 0));
            } else if (good && memcmp(first[i], bytes, buf_bytes(&call.out[i], 0)) != 0) {
                report(c, op_name(op), type, "FAIL threads change bits of output", i);
                good = false;
            }
        }
    }
    if (good && call.status != RVL_OK) {
        report(c, op_name(op), type, "FAIL status", call.status);
        good = false;
    }
    for (int i = 0; i < n_out && good; i++) {
        double *got = pool_take(call.out[i].count);

        for (int64_t k = 0; k < call.out[i].count; k++)
            got[k] = buf_read(&call.out[i], k);
        good = outcome_is_good(c, op_name(op), type, &out[i], got, dtype == RVL_DTYPE_F64 ? MAX_MSE_F64 : MAX_MSE_F32);
    }
    n_passed += good;
}

/* The kernel of a row and the backward kernels of its operation. */
static void check_row(const op_case *c, rvl_dtype dtype)
{
    value  in[4] = {0}, out[3] = {0}, dy;
    bwd_io bwd[2];
    int    n_out, n_bwd;

    pool_used = 0;
    random_start(c->name);
    for (int i = 0; i < c->n_in; i++) {
        in[i] = value_new(&c->in[i]);
        in[i].is_ids = case_input_is_ids(c, i);
        fill_values(in[i].d, &in[i].s, c->fill[i], in[i].is_ids ? case_n_ids(c) : 0);
        value_round(&in[i], dtype);
    }
    n_out = naive_forward(c, in, out);
    check_kernel(c, c->op, c->n_in, in, n_out, out, dtype);
    for (int i = 0; i < n_out; i++)
        value_round(&out[i], dtype);
    dy = value_new(&out[0].s);
    fill_values(dy.d, &dy.s, FILL_SIGNED, 0);
    value_round(&dy, dtype);
    n_bwd = naive_backward(c, in, out, &dy, bwd);
    for (int i = 0; i < n_bwd; i++)
        check_kernel(c, bwd[i].op, bwd[i].n_in, bwd[i].in, bwd[i].n_out, bwd[i].out, dtype);
}

/* Mode support: the table has a kernel for every row of ops.def, and the op table calls each one. */
static void check_support(void)
{
    for (int op = 0; op < RVL_OP_COUNT; op++) {
        const op_case nameless = {.name = op_name((rvl_op)op)};

        if (!rvl_ref_kernels()->kernels[op])
            report(&nameless, "ref", "any", "FAIL no kernel", op);
        else if (!op_was_checked[op])
            report(&nameless, "ref", "any", "UNTESTED no row", op);
        else
            n_passed++;
    }
}

/* The harness itself: a wrong result must fail, zeros must be mistrusted. */
static void check_harness(void)
{
    const op_case fake = {.name = "harness"};
    const int     before = n_failed;
    value         v = {.s = {1, {8}}};
    double        got[8];

    pool_used = 0;
    v.d = pool_take(8);
    for (int i = 0; i < 8; i++)
        v.d[i] = got[i] = i + 1;
    is_quiet = true;
    got[3] += 1e-2;
    (void)outcome_is_good(&fake, "", "", &v, got, MAX_MSE_F32);
    got[3] = NAN;
    (void)outcome_is_good(&fake, "", "", &v, got, MAX_MSE_F32);
    memset(v.d, 0, 8 * sizeof *v.d);
    memset(got, 0, sizeof got);
    (void)outcome_is_good(&fake, "", "", &v, got, MAX_MSE_F32);
    is_quiet = false;
    if (n_failed - before == 3) {
        n_failed = before;
        n_passed++;
    } else {
        printf("FAIL the harness lets wrong results pass\n");
    }
}

#include "op/op_known.h"

int main(int argc, char **argv)
{
    const char *filter = argc > 1 ? argv[1] : "";
    int         n_rows = 0;

    program = argv[0];
    for (size_t i = 0; i < N_OP_CASES; i++) {
        if (!strstr(op_cases[i].name, filter))
            continue;
        n_rows++;
        check_row(&op_cases[i], RVL_DTYPE_F32);
        check_row(&op_cases[i], RVL_DTYPE_F64);
    }
    if (!*filter) {
        check_support();
        check_harness();
        check_known_values();
    }
    printf("%d rows, %d passed, %d failed\n", n_rows, n_passed, n_failed);
    return n_failed || (!n_rows && *filter) ? EXIT_FAILURE : EXIT_SUCCESS;
}
