/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_synth_folder.c
 * Folders of phantoms: continued after an interruption to the same bytes, refused when they hold something else.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/alloc.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/util.h"
#include "base/yaml.h"
#include "imaging/image_file.h"
#include "synth/phantom.h"

static char root[64];

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/rvl-synth-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int drop_root(void **state)
{
    (void)state;
    return rvl_dir_remove(root, NULL) ? -1 : 0;
}

static rvl_phantom_opts small_opts(const char *path)
{
    return (rvl_phantom_opts){.n = 12, .seed = 4, .height = 64, .width = 64, .out_path = path};
}

/** Hash over names and bytes of all files below a folder. */
static void hash_tree(rvl_hasher *h, const char *path)
{
    rvl_dir_names names = {0};

    assert_int_equal(rvl_dir_list(&names, path, NULL), RVL_OK);
    for (size_t i = 0; i < names.n_names; i++) {
        char  *sub = rvl_path_join(path, names.names[i]), *bytes = NULL;
        size_t n = 0;

        rvl_hasher_add(h, names.names[i], strlen(names.names[i]) + 1);
        if (rvl_path_is_dir(sub)) {
            hash_tree(h, sub);
        } else {
            assert_int_equal(rvl_file_read(&bytes, &n, sub, 0, NULL), RVL_OK);
            rvl_hasher_add(h, bytes, n);
        }
        rvl_free(bytes);
        rvl_free(sub);
    }
    rvl_dir_names_free(&names);
}

static void tree_hash(char out[33], const char *path)
{
    rvl_hasher *h = rvl_hasher_new();

    hash_tree(h, path);
    rvl_hasher_hex(h, out);
    rvl_hasher_free(h);
}

static void remove_in(const char *folder, const char *name)
{
    char *path = rvl_path_join(folder, name);

    assert_int_equal(unlink(path), 0);
    rvl_free(path);
}

static void run__continues_to_the_same_bytes(void **state)
{
    char              *a = rvl_path_join(root, "a"), *half;
    rvl_phantom_opts   o = small_opts(a);
    rvl_phantom_result r;
    char               whole[33], again[33];

    (void)state;
    assert_int_equal(rvl_phantom_run(&r, &o, NULL), RVL_OK);
    assert_int_equal(r.n_written, 12);
    tree_hash(whole, a);
    /* as a kill leaves it: late images, the tables and the map are missing, a file is half written */
    remove_in(a, "map.yaml");
    remove_in(a, "cases.csv");
    remove_in(a, "images/000007.png");
    remove_in(a, "images/000011.png");
    half = rvl_path_join(a, "masks/.tmp-77-1");
    assert_int_equal(rvl_file_write(half, "half", 4, NULL), RVL_OK);
    assert_int_equal(rvl_phantom_run(&r, &o, NULL), RVL_OK);
    assert_int_equal(r.n_written, 2);
    assert_int_equal(r.n_skipped, 10);
    tree_hash(again, a);
    assert_string_equal(whole, again);
    rvl_free(half);
    rvl_free(a);
}

static void run__writes_the_same_folder_in_pieces(void **state)
{
    char              *a = rvl_path_join(root, "whole"), *b = rvl_path_join(root, "pieces");
    rvl_phantom_opts   o = small_opts(a);
    rvl_phantom_result r;
    char               whole[33], pieces[33];

    (void)state;
    assert_int_equal(rvl_phantom_run(&r, &o, NULL), RVL_OK);
    o.out_path = b;
    o.n = 5;
    assert_int_equal(rvl_phantom_run(&r, &o, NULL), RVL_OK);
    o.n = 12;
    assert_int_equal(rvl_phantom_run(&r, &o, NULL), RVL_OK);
    assert_int_equal(r.n_skipped, 5);
    tree_hash(whole, a);
    tree_hash(pieces, b);
    assert_string_equal(whole, pieces);
    rvl_free(a);
    rvl_free(b);
}

static void run__refuses_another_folder_unless_forced(void **state)
{
    char              *a = rvl_path_join(root, "other"), *note = rvl_path_join(root, "other/notes.txt");
    rvl_phantom_opts   o = small_opts(a);
    rvl_phantom_result r;
    rvl_error          err = {0};

    (void)state;
    o.n = 2;
    assert_int_equal(rvl_phantom_run(&r, &o, NULL), RVL_OK);
    o.seed = 5;
    assert_int_equal(rvl_phantom_run(&r, &o, &err), RVL_ERR_STATE);
    assert_non_null(strstr(err.text, "other options"));
    o.force = true;
    assert_int_equal(rvl_phantom_run(&r, &o, NULL), RVL_OK);
    assert_int_equal(r.n_written, 2);
    assert_int_equal(rvl_dir_remove(a, NULL), RVL_OK);
    assert_int_equal(rvl_dir_make(a, NULL), RVL_OK);
    assert_int_equal(rvl_file_write(note, "x", 1, NULL), RVL_OK);
    assert_int_equal(rvl_phantom_run(&r, &o, NULL), RVL_ERR_STATE);
    assert_true(rvl_path_exists(note));
    rvl_free(a);
    rvl_free(note);
}

static void run__writes_nothing_when_dry(void **state)
{
    char              *a = rvl_path_join(root, "dry");
    rvl_phantom_opts   o = small_opts(a);
    rvl_phantom_result r;

    (void)state;
    o.dry_run = true;
    o.n = 500;
    assert_int_equal(rvl_phantom_run(&r, &o, NULL), RVL_OK);
    assert_int_equal(r.n_cases, 500);
    assert_int_equal(r.n_patients, 400);
    assert_int_equal(r.n_split[0] + r.n_split[1] + r.n_split[2], 500);
    assert_false(rvl_path_exists(a));
    o.modality = RVL_MODALITY_CT;
    assert_int_equal(rvl_phantom_run(&r, &o, NULL), RVL_ERR_UNSUPPORTED);
    o.modality = RVL_MODALITY_CXR;
    o.n = 0;
    assert_int_equal(rvl_phantom_run(&r, &o, NULL), RVL_ERR_USAGE);
    rvl_free(a);
}

/** cases.csv, masks and map.yaml agree with the case's truth. */
static void folder__tells_the_truth(void **state)
{
    char              *a = rvl_path_join(root, "truth"), *table = rvl_path_join(root, "truth/cases.csv");
    char              *map = rvl_path_join(root, "truth/map.yaml");
    rvl_phantom_opts   o = small_opts(a);
    rvl_phantom_result r;
    rvl_csv           *csv = NULL;
    rvl_yaml_doc      *doc = NULL;

    (void)state;
    assert_int_equal(rvl_phantom_run(&r, &o, NULL), RVL_OK);
    assert_int_equal(rvl_csv_load(&csv, table, 0, NULL), RVL_OK);
    assert_int_equal(rvl_csv_n_rows(csv), 12);
    for (size_t i = 0; i < 12; i++) {
        rvl_phantom_case c;

        rvl_phantom_case_make(&c, 4, (int64_t)i, NULL);
        for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++) {
            int         column = rvl_csv_column(csv, rvl_phantom_finding_name(f));
            char        name[96];
            char       *path;
            rvl_volume *mask = NULL;

            assert_true(column >= 0);
            assert_string_equal(rvl_csv_cell(csv, i, (size_t)column), c.truth[f].present ? "1" : "0");
            snprintf(name, sizeof name, "masks/%06d-%s.png", (int)i, rvl_phantom_finding_name(f));
            path = rvl_path_join(a, name);
            assert_int_equal(rvl_path_exists(path), c.truth[f].present);
            if (c.truth[f].present) {
                assert_int_equal(rvl_image_load(&mask, path, NULL, NULL), RVL_OK);
                assert_int_equal(mask->width, 64);
            }
            rvl_volume_free(mask);
            rvl_free(path);
        }
    }
    assert_int_equal(rvl_yaml_load(&doc, map, NULL), RVL_OK);
    assert_string_equal(rvl_yaml_get(rvl_yaml_root(doc), "schema")->text, "phantom-8");
    assert_int_equal(rvl_yaml_get(rvl_yaml_root(doc), "labels")->n_items, RVL_PHANTOM_N_FINDINGS);
    rvl_yaml_free(doc);
    rvl_csv_free(csv);
    rvl_free(a);
    rvl_free(table);
    rvl_free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run__continues_to_the_same_bytes),
        cmocka_unit_test(run__writes_the_same_folder_in_pieces),
        cmocka_unit_test(run__refuses_another_folder_unless_forced),
        cmocka_unit_test(run__writes_nothing_when_dry),
        cmocka_unit_test(folder__tells_the_truth),
    };

    return cmocka_run_group_tests(tests, make_root, drop_root);
}
