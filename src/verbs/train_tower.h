/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/train_tower.h
 * Towers from files, and the image tower of a training run: its configuration from options, or another model's.
 */
#ifndef RVL_VERBS_TRAIN_TOWER_H
#define RVL_VERBS_TRAIN_TOWER_H
#include "base/str.h"
#include "imaging/preprocess.h"
#include "model/model.h"
#include "rvl/verbs.h"

/** Where a tower comes from: the file that was named or the best checkpoint of a run, which says which. */
typedef struct {
    char      *path, *which;
    rvl_model *bundle; /* NULL if the file is a plain weight file */
} rvl_tower_source;
/** Close it in any case. */
RVL_MUST_USE rvl_status rvl__tower_open(rvl_tower_source *out, const char *run_or_file, rvl_error *err);
void                    rvl__tower_close(rvl_tower_source *source);
/** The weights of `part` ("visual" or "text") into `m`, which is configured, and a log line of what was done. */
RVL_MUST_USE rvl_status rvl__tower_load(rvl_model *m, const rvl_tower_source *source, const char *part,
                                        const rvl_load_opts *load, rvl_error *err);

/** The tower that the options describe, for images of `grid`. USAGE names the option. */
RVL_MUST_USE rvl_status rvl__tower_configure(rvl_image_config *out, const rvl_train_opts *opts,
                                             const rvl_preprocess *grid, rvl_error *err);
/** Configuration (of a bundle) and weights of opts->image_tower into `m`, which was configured by the options and has
 *  its preprocessing. `embed_dim`, and a classifier of the model's findings if it `wants_classifier`: rvl_load_opts.
 * SHAPE if the options asked for another tower, STATE for another preprocessing. */
RVL_MUST_USE rvl_status rvl__tower_take(rvl_model *m, const rvl_train_opts *opts, int embed_dim, bool wants_classifier,
                                        rvl_error *err);
/** What a resumed run must find again, as text. */
void                    rvl__tower_print(rvl_str *out, const rvl_image_config *cfg);

#endif /* RVL_VERBS_TRAIN_TOWER_H */
