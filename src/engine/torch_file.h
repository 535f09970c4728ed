/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/torch_file.h
 * The tensors of a file that torch.save wrote: a zip archive (since PyTorch 1.6) or five pickles and raw storages.
 *
 * The tensors are those of the state dict: the root, or what it holds under "state_dict", "model", "module" or
 * "encoder"; other entries are passed over. Counts are checked against the bytes there; contiguous, aligned tensors
 * borrow them, others are gathered by their strides into memory of their own: all together at most four times the file
 * and 16 MiB.
 */
#ifndef RVL_ENGINE_TORCH_FILE_H
#define RVL_ENGINE_TORCH_FILE_H
#include "engine/torch_pickle.h"

typedef struct rvl_torch_file rvl_torch_file;

/** The bytes must outlive the file; `name` is for messages. */
RVL_MUST_USE rvl_status rvl__torch_zip_parse(rvl_torch_file **out, rvl_span bytes, const char *name, rvl_error *err);
RVL_MUST_USE rvl_status rvl__torch_old_parse(rvl_torch_file **out, rvl_span bytes, const char *name, rvl_error *err);
void                    rvl__torch_close(rvl_torch_file *f);
int                     rvl__torch_count(const rvl_torch_file *f);
const char             *rvl__torch_name(const rvl_torch_file *f, int i);
const rvl_tensor       *rvl__torch_tensor(const rvl_torch_file *f, int i);

/** Whether the bytes begin as such a file. */
bool rvl__torch_zip_is(rvl_span bytes);
bool rvl__torch_old_is(rvl_span bytes);

/** For the containers: tensors of `pickle`, whose storages are all bound, kept in `arena`, which moves to the file (and
 *  is freed on failure). `file_bytes` sets the limit of what is gathered. */
RVL_MUST_USE rvl_status rvl__torch_collect(rvl_torch_file **out, const rvl_pickle *pickle, rvl_arena *arena,
                                           size_t file_bytes, const char *name, rvl_error *err);

#endif /* RVL_ENGINE_TORCH_FILE_H */
