/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_model_bert_config.c
 * Sizes from a config.json: taken, or refused with a reason.
 */
#include "support.h"
#include "cohort_fixture.h"
#include "model/bert_config.h"

static const char whole[] =
    "{\"model_type\": \"bert\", \"hidden_act\": \"gelu\", \"vocab_size\": 30522, \"hidden_size\": 384,"
    " \"num_hidden_layers\": 6, \"num_attention_heads\": 12, \"intermediate_size\": 1536,"
    " \"max_position_embeddings\": 512, \"type_vocab_size\": 3, \"layer_norm_eps\": 1e-05, \"torch_dtype\": "
    "\"float32\"}";

/* `whole` with `from` replaced by `to` ("" leaves it), read into *cfg. */
static rvl_status read_changed(void **state, rvl_bert_config *cfg, const char *from, const char *to, rvl_error *err)
{
    char        path[PATH_BYTES], text[1024];
    const char *at = strstr(whole, from);

    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - whole), whole, to, at + strlen(from));
    assert_int_equal(rvl_file_write(path_in(path, *state, "config.json"), text, strlen(text), NULL), RVL_OK);
    return rvl_bert_config_read(cfg, path, err);
}

static void config__gives_the_sizes_and_leaves_pooling(void **state)
{
    rvl_bert_config cfg = {.dropout = 0.25, .pooling = RVL_POOLING_MEAN};
    rvl_error       err = {0};

    assert_int_equal(read_changed(state, &cfg, "", "", &err), RVL_OK);
    assert_int_equal(cfg.vocab_size, 30522);
    assert_int_equal(cfg.hidden, 384);
    assert_int_equal(cfg.n_layers, 6);
    assert_int_equal(cfg.n_heads, 12);
    assert_int_equal(cfg.intermediate, 1536);
    assert_int_equal(cfg.max_positions, 512);
    assert_int_equal(cfg.type_vocab, 3);
    assert_true(cfg.layer_norm_eps == 1e-5);
    assert_true(cfg.dropout == 0.25 && cfg.pooling == RVL_POOLING_MEAN);
}

static void config__has_fallbacks_where_early_files_have_no_key(void **state)
{
    rvl_bert_config cfg = {0};

    assert_int_equal(read_changed(state, &cfg, "\"type_vocab_size\": 3, ", "", NULL), RVL_OK);
    assert_int_equal(cfg.type_vocab, 2);
    assert_int_equal(read_changed(state, &cfg, "\"layer_norm_eps\": 1e-05, ", "", NULL), RVL_OK);
    assert_true(cfg.layer_norm_eps == 1e-12);
    assert_int_equal(read_changed(state, &cfg, "\"model_type\": \"bert\", ", "", NULL), RVL_OK);
}

static void config__is_refused_with_the_key(void **state)
{
    static const struct {
        const char *from, *to;
        rvl_status  status;
        const char *says;
    } rows[] = {
        {"\"bert\"", "\"roberta\"", RVL_ERR_UNSUPPORTED, "model_type is 'roberta'"},
        {"\"gelu\"", "\"relu\"", RVL_ERR_UNSUPPORTED, "hidden_act"},
        {"\"torch_dtype\": \"float32\"", "\"position_embedding_type\": \"relative_key\"", RVL_ERR_UNSUPPORTED,
         "position_embedding_type"},
        {"\"hidden_size\": 384,", "", RVL_ERR_FORMAT, "no hidden_size"},
        {"\"num_hidden_layers\": 6", "\"num_hidden_layers\": \"6\"", RVL_ERR_FORMAT, "num_hidden_layers"},
        {"30522", "-1", RVL_ERR_FORMAT, "vocab_size"},
        {"30522", "99999999999", RVL_ERR_FORMAT, "vocab_size"},
        {"\"num_attention_heads\": 12", "\"num_attention_heads\": 7", RVL_ERR_FORMAT, "7 heads"},
        {"1e-05", "0", RVL_ERR_FORMAT, "layer_norm_eps"},
        {"{\"model_type\"", "[\"model_type\"", RVL_ERR_FORMAT, "config.json"},
    };

    for (size_t i = 0; i < RVL_ARRAY_LEN(rows); i++) {
        rvl_bert_config cfg = {.hidden = 77};
        rvl_error       err = {0};
        assert_int_equal(read_changed(state, &cfg, rows[i].from, rows[i].to, &err), rows[i].status);
        if (!strstr(err.text, rows[i].says))
            fail_msg("'%s' does not say '%s'", err.text, rows[i].says);
        assert_int_equal(cfg.hidden, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config__gives_the_sizes_and_leaves_pooling),
        cmocka_unit_test(config__has_fallbacks_where_early_files_have_no_key),
        cmocka_unit_test(config__is_refused_with_the_key),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
