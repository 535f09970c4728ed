/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/text_tower.h
 * The text tower of a training run: its configuration and vocabulary from options, or another model's.
 */
#ifndef RVL_VERBS_TEXT_TOWER_H
#define RVL_VERBS_TEXT_TOWER_H
#include "learn/contrast.h"
#include "verbs/train_common.h"

rvl_text_tower_opts     rvl__text_tower_opts_default(void);
/** USAGE if the options describe no tower. */
RVL_MUST_USE rvl_status rvl__text_tower_check(const rvl_text_tower_opts *opts, rvl_error *err);
/**
 * Give t->m a text tower: configuration, tokenizer and, with opts->text_tower, weights. Of a bundle all comes from the
 * file; beside a weight file the config.json and vocab.txt of Hugging Face are read if they are there. Without a
 * vocabulary, one is learned from the training split. `allow_missing`: starts of keys that the file may lack. With
 * t->m->clip.embed_dim set, the projection into that space comes along if the file has it. SHAPE if the options asked
 * for other sizes than the file's.
 */
RVL_MUST_USE rvl_status rvl__text_tower_add(rvl_training *t, const rvl_text_tower_opts *opts, const char *allow_missing,
                                            rvl_text_choice choice, rvl_error *err);

#endif /* RVL_VERBS_TEXT_TOWER_H */
