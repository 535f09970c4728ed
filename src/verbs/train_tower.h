/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/train_tower.h
 * The image tower of a training run: its configuration from options, or another model's.
 */
#ifndef RVL_VERBS_TRAIN_TOWER_H
#define RVL_VERBS_TRAIN_TOWER_H
#include "base/str.h"
#include "imaging/preprocess.h"
#include "model/model.h"
#include "rvl/verbs.h"

/** The tower that the options describe, for images of `grid`. USAGE names the option. */
RVL_MUST_USE rvl_status rvl__tower_configure(rvl_image_config *out, const rvl_train_opts *opts,
                                             const rvl_preprocess *grid, rvl_error *err);
/** Configuration (of a bundle) and weights of opts->image_tower into `m`, which was configured by the options and has
 *  its preprocessing. SHAPE if the options asked for another tower, STATE for another preprocessing. */
RVL_MUST_USE rvl_status rvl__tower_take(rvl_model *m, const rvl_train_opts *opts, rvl_error *err);
/** What a resumed run must find again, as text. */
void                    rvl__tower_print(rvl_str *out, const rvl_image_config *cfg);

#endif /* RVL_VERBS_TRAIN_TOWER_H */
