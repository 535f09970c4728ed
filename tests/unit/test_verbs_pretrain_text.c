/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_verbs_pretrain_text.c
 * Classifiers of reports: what one word says is learned from a table and from a cohort, accumulated batches equal big
 * ones, a resumed run ends with the same bytes, what a table lacks is said.
 */
#include "base/rng.h"
#include "learn/infer.h"
#include "learn_fixture.h"
#include "rvl/verbs.h"
#include <math.h>

enum { N_ROWS = 240 };

static const char schema_yaml[] = "name: two\nfindings:\n"
                                  "  - {name: effusion, title: effusion}\n"
                                  "  - {name: nodule, title: nodule}\n"
                                  "templates: {positive: ['{}'], negative: ['no {}']}\n";

/* Reports of filler words; "fluid" is an effusion, "lump" a nodule. Every fifth row is for validation. */
static void write_table(const char *folder, const char *name, const char *header, const char *bad_cell)
{
    static const char *const filler[] = {"heart", "normal", "lung", "clear", "bone", "intact", "view", "frontal"};
    char                     path[PATH_BYTES];
    rvl_str                  s = {0};
    rvl_rng                  r = rvl_rng_make(3, 1);

    rvl_str_addf(&s, "%s\n", header);
    for (int i = 0; i < N_ROWS; i++) {
        const bool effusion = i % 2 == 0, nodule = i % 3 == 0;

        for (int w = 0; w < 6; w++)
            rvl_str_addf(&s, "%s ", filler[rvl_rng_below(&r, 8)]);
        rvl_str_addf(&s, "%s %s,%s,%s,%s\n", effusion ? "fluid" : "dry", nodule ? "lump" : "smooth",
                     i == 7     ? bad_cell
                     : effusion ? "1"
                                : "0",
                     nodule ? "0.95" : "0.05", i % 5 == 4 ? "val" : "train");
    }
    OK(rvl_file_write(path_in(path, folder, name), s.ptr, s.n_bytes, &err));
    rvl_str_free(&s);
}

static char *schema_file(char *path, const char *folder)
{
    OK(rvl_file_write(path_in(path, folder, "two.yaml"), schema_yaml, sizeof schema_yaml - 1, &err));
    return path;
}

static rvl_pretrain_text_opts small(const char *input, const char *runs, const char *name)
{
    rvl_pretrain_text_opts o = rvl_pretrain_text_opts_default();

    o.train.cohort = input;
    o.train.runs = runs;
    o.train.name = name;
    o.train.epochs = 10;
    o.train.batch_size = 8;
    o.train.lr = 3e-3;
    o.train.deterministic = true;
    o.tower.text_layers = 1;
    o.tower.text_width = 16;
    o.tower.text_heads = 2;
    o.tower.max_tok = 32;
    o.tower.vocabulary_size = 300;
    o.tower.dropout = 0;
    o.split_column = "part";
    return o;
}

static void words_are_learned__from_a_table(void **state)
{
    char                   table[PATH_BYTES], runs[PATH_BYTES], schema[PATH_BYTES], path[PATH_BYTES];
    const char *const      texts[] = {"heart lung clear fluid smooth", "bone view intact dry lump"};
    float                  logits[4];
    rvl_train_result       r;
    rvl_model             *m = NULL;
    rvl_infer             *infer = NULL;
    rvl_load_report        report;
    rvl_pretrain_text_opts o = small(path_in(table, *state, "reports.csv"), path_in(runs, *state, "runs"), "words");

    write_table(*state, "reports.csv", "report,label_effusion,nodule,part", "1");
    o.schema = schema_file(schema, *state);
    OK(rvl_pretrain_text_run(&r, &o, &err));
    assert_int_equal(r.n_steps, 10 * (192 / 8));
    if (!(r.best_value > -0.25)) /* the doubt in the targets alone makes 0.10 */
        fail_msg("BCE %g on val, loss %g", -r.best_value, r.last_loss);
    path_in(path, runs, "words/ckpt/best/model.safetensors");
    OK(rvl_bundle_load(&m, path, &report, &err));
    assert_true(m->has_text && m->has_head && !m->has_image);
    OK(rvl_infer_new(&infer, m, &err));
    OK(rvl_infer_texts(logits, infer, "logits", texts, 2, NULL, &err));
    if (!(logits[0] > 0 && logits[1] < 0 && logits[2] < 0 && logits[3] > 0))
        fail_msg("logits %g %g, %g %g", (double)logits[0], (double)logits[1], (double)logits[2], (double)logits[3]);
    rvl_infer_free(infer);
    rvl_model_free(m);
}

/* The last logged loss of a run, and its first weights. */
static void read_model(char **bytes, size_t *n, const char *runs, const char *name, const char *step)
{
    char path[PATH_BYTES], rest[PATH_BYTES];

    snprintf(rest, sizeof rest, "%s/ckpt/%s/model.safetensors", name, step);
    OK(rvl_file_read(bytes, n, path_in(path, runs, rest), 0, &err));
}

static void run__resumes_to_the_same_bytes(void **state)
{
    char                   table[PATH_BYTES], runs[PATH_BYTES], schema[PATH_BYTES];
    char                  *first = NULL, *second = NULL;
    size_t                 n_first, n_second;
    rvl_train_result       r;
    rvl_pretrain_text_opts o = small(path_in(table, *state, "reports.csv"), path_in(runs, *state, "runs"), "again");

    o.schema = schema_file(schema, *state);
    o.train.epochs = 1;
    o.train.save_every = 5;
    o.train.keep_last = 9;
    o.tower.dropout = 0.1;
    OK(rvl_pretrain_text_run(&r, &o, &err));
    read_model(&first, &n_first, runs, "again", "step-00000024");
    o.train.resume = "step-5";
    OK(rvl_pretrain_text_run(&r, &o, &err));
    read_model(&second, &n_second, runs, "again", "step-00000024");
    assert_int_equal(n_first, n_second);
    assert_memory_equal(first, second, n_first);
    rvl_free(first);
    rvl_free(second);
    write_table(*state, "reports.csv", "report,label_effusion,nodule,part", "0.5"); /* one target is another */
    assert_int_equal(rvl_pretrain_text_run(&r, &o, NULL), RVL_ERR_STATE);
    write_table(*state, "reports.csv", "report,label_effusion,nodule,part", "1");
}

static void micro_batches__equal_one(void **state)
{
    char                   table[PATH_BYTES], runs[PATH_BYTES], schema[PATH_BYTES];
    rvl_train_result       whole, micro;
    rvl_pretrain_text_opts o = small(path_in(table, *state, "reports.csv"), path_in(runs, *state, "runs"), "whole");

    o.schema = schema_file(schema, *state);
    o.train.epochs = 1;
    OK(rvl_pretrain_text_run(&whole, &o, &err));
    o.train.name = "micro";
    o.train.micro_batch = 2;
    OK(rvl_pretrain_text_run(&micro, &o, &err));
    assert_true(fabs(whole.last_loss - micro.last_loss) < 1e-4 * whole.last_loss);
}

static void cohort__teaches_from_its_own_labels(void **state)
{
    char                   cohort[PATH_BYTES], runs[PATH_BYTES];
    rvl_train_result       r;
    rvl_pretrain_text_opts o = small(path_in(cohort, *state, "cohort"), path_in(runs, *state, "runs"), "cohort");

    o.split_column = NULL;
    o.train.epochs = 2;
    OK(rvl_pretrain_text_run(&r, &o, &err));
    assert_int_equal(r.n_epochs, 2);
    o.schema = "chexpert-14";
    assert_int_equal(rvl_pretrain_text_run(&r, &o, NULL), RVL_ERR_USAGE);
}

static void table__is_refused_with_line_and_column(void **state)
{
    char                   table[PATH_BYTES], runs[PATH_BYTES], schema[PATH_BYTES];
    rvl_train_result       r;
    rvl_error              e = {0};
    rvl_pretrain_text_opts o = small(path_in(table, *state, "bad.csv"), path_in(runs, *state, "runs"), "bad");

    o.schema = schema_file(schema, *state);
    write_table(*state, "bad.csv", "report,effusion,nodule,part", "1.5");
    assert_int_equal(rvl_pretrain_text_run(&r, &o, &e), RVL_ERR_FORMAT);
    assert_non_null(strstr(e.text, "bad.csv:9"));
    assert_non_null(strstr(e.text, "'effusion'"));
    write_table(*state, "bad.csv", "report,something,else,part", "1");
    assert_int_equal(rvl_pretrain_text_run(&r, &o, &e), RVL_ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "'two'"));
    o.split_column = "fold";
    assert_int_equal(rvl_pretrain_text_run(&r, &o, &e), RVL_ERR_FORMAT);
    o.split_column = NULL;
    o.schema = NULL;
    assert_int_equal(rvl_pretrain_text_run(&r, &o, &e), RVL_ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_learned__from_a_table),
        cmocka_unit_test(run__resumes_to_the_same_bytes),
        cmocka_unit_test(micro_batches__equal_one),
        cmocka_unit_test(cohort__teaches_from_its_own_labels),
        cmocka_unit_test(table__is_refused_with_line_and_column),
    };

    return cmocka_run_group_tests(tests, cohort_make, folder_remove);
}
