/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_engine_params.c
 * Weights and state: starts from the random stream of the name, given tensors, commit and discard.
 */
#include "tests/support.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "engine/store.h"

static rvl_params *params_open(uint64_t seed)
{
    rvl_params *p;
    rvl_error   err = {0};

    assert_int_equal(rvl_params_new(&p, seed, &err), RVL_OK);
    return p;
}

static const float *weight(rvl_params *params, const char *name, rvl_init init)
{
    rvl_param *p;
    rvl_error  err = {0};

    assert_int_equal(rvl__params_get(&p, params, name, RVL_DTYPE_F32, 1, (int64_t[]){5}, init, &err), RVL_OK);
    return rvl_tensor_const_data(rvl_param_tensor(p));
}

static void params__start_from_the_stream_of_their_name(void **state)
{
    rvl_params *params = params_open(42);
    rvl_rng     r = rvl_rng_make(42, rvl_rng_name("a.weight")), u = rvl_rng_make(42, rvl_rng_name("b"));

    (void)state;
    const float *c = weight(params, "c", (rvl_init){RVL_INIT_CONSTANT, 2.5});
    const float *b = weight(params, "b", (rvl_init){RVL_INIT_UNIFORM, 0.5});
    const float *a = weight(params, "a.weight", (rvl_init){RVL_INIT_NORMAL, 0.02});
    for (int i = 0; i < 5; i++) {
        assert_true(a[i] == (float)(0.02 * rvl_rng_normal(&r)) && a[i] != 0.0F);
        assert_true(b[i] == (float)(0.5 * (2.0 * rvl_rng_uniform(&u) - 1.0)));
        assert_true(c[i] == 2.5F);
    }
    assert_true(weight(params, "o", (rvl_init){RVL_INIT_ONES, 0})[4] == 1.0F);
    assert_true(weight(params, "z", (rvl_init){RVL_INIT_ZEROS, 0})[4] == 0.0F);
    assert_int_equal(rvl_params_count(params), 5);
    assert_string_equal(rvl_param_name(rvl_params_at(params, 2)), "a.weight");
    rvl_params_free(params);
}

static void params__keep_what_a_file_gave(void **state)
{
    rvl_params *params = params_open(1);
    rvl_error   err = {0};
    rvl_tensor *t, *again;

    (void)state;
    assert_int_equal(rvl_tensor_new(&t, RVL_DTYPE_F32, 1, (int64_t[]){5}, &err), RVL_OK);
    assert_int_equal(rvl_tensor_new(&again, RVL_DTYPE_F32, 1, (int64_t[]){5}, &err), RVL_OK);
    ((float *)rvl_tensor_data(t))[1] = 9.0F;
    assert_int_equal(rvl_params_give(params, "w", t, &err), RVL_OK);
    assert_int_equal(rvl_params_give(params, "w", again, &err), RVL_ERR_FORMAT);
    rvl_param *p = rvl_params_find(params, "w");
    assert_false(rvl_param_is_made(p) || rvl_param_is_used(p));
    assert_true(rvl_param_trainable(p));
    assert_true(weight(params, "w", (rvl_init){RVL_INIT_ONES, 0})[1] == 9.0F);
    assert_true(rvl_param_is_used(p) && !rvl_param_is_made(p));
    uint64_t version = rvl_param_version(p);
    rvl_param_touch(p);
    assert_true(rvl_param_version(p) > version);
    assert_int_equal(rvl__params_get(&p, params, "w", RVL_DTYPE_F32, 2, (int64_t[]){5, 1}, (rvl_init){0}, &err),
                     RVL_ERR_SHAPE);
    assert_string_equal(err.text, "weight 'w' has shape (5), the model needs (5, 1)");
    assert_null(rvl_params_find(params, "absent"));
    rvl_params_free(params);
}

static void state__becomes_real_at_commit(void **state)
{
    rvl_state       *s;
    rvl_state_entry *e;
    rvl_error        err = {0};

    (void)state;
    assert_int_equal(rvl_state_new(&s, &err), RVL_OK);
    assert_int_equal(rvl__state_get(&e, s, "v", RVL_DTYPE_F32, 1, (int64_t[]){2}, 3.0, &err), RVL_OK);
    const float *now = rvl_tensor_const_data(rvl_state_tensor(s, 0));
    ((float *)rvl_tensor_data(rvl__state_shadow(e)))[0] += 1.0F;
    ((float *)rvl_tensor_data(rvl__state_shadow(e)))[0] += 1.0F; /* both writes of one step add up */
    assert_true(now[0] == 3.0F);
    rvl_state_commit(s);
    assert_true(now[0] == 5.0F && now[1] == 3.0F);
    ((float *)rvl_tensor_data(rvl__state_shadow(e)))[0] = 100.0F;
    rvl_state_discard(s);
    rvl_state_commit(s);
    assert_true(now[0] == 5.0F);
    ((float *)rvl_tensor_data(rvl__state_shadow(e)))[1] += 1.0F; /* starts from the committed values again */
    rvl_state_commit(s);
    assert_true(now[0] == 5.0F && now[1] == 4.0F);
    assert_true(rvl_state_is_made(s, 0) && rvl_state_is_used(s, 0));
    rvl_state_free(s);
}

/** Each allocation of making a weight and a state tensor fails once: a status, no crash, no leak. */
static void stores__survive_failed_allocations(void **state)
{
    (void)state;
    size_t live = rvl_alloc_get_stats().live_bytes;
    for (uint64_t nth = 1; nth < 20; nth++) {
        rvl_params      *params = NULL;
        rvl_state       *s = NULL;
        rvl_param       *p;
        rvl_state_entry *e;
        rvl_error        err = {0};
        const int64_t    two = 2;
        rvl_alloc_fail_at(nth);
        rvl_status st = rvl_params_new(&params, 1, &err);
        st = st ? st : rvl_state_new(&s, &err);
        st = st ? st : rvl__params_get(&p, params, "w", RVL_DTYPE_F32, 1, &two, (rvl_init){0}, &err);
        st = st ? st : rvl__state_get(&e, s, "s", RVL_DTYPE_F32, 1, &two, 0.0, &err);
        rvl_alloc_fail_at(0);
        assert_true(st == RVL_ERR_NOMEM || (st == RVL_OK && nth > 8));
        rvl_state_free(s);
        rvl_params_free(params);
        assert_int_equal(rvl_alloc_get_stats().live_bytes, live);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(params__start_from_the_stream_of_their_name),
        cmocka_unit_test(params__keep_what_a_file_gave),
        cmocka_unit_test(state__becomes_real_at_commit),
        cmocka_unit_test(stores__survive_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
