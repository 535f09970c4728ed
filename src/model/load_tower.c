/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/load_tower.c
 * Encoder weights from a bundle ("visual.*", "text.*") or a weight file of any format with torchvision's or Hugging
 * Face's names. From a bundle, what shapes do not show (strides, heads, vocabulary) must agree too.
 */
#include "base/json.h"
#include "base/str.h"
#include "model/arch.h"
#include "model/bundle.h"
#include "model/load_keys.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define PREFIX_BYTES 64

static bool has_prefix(const rvl_weight_file *file, const char *prefix)
{
    for (int i = 0; i < rvl_weight_file_count(file); i++)
        if (rvl_str_starts(rvl_weight_file_name(file, i), prefix))
            return true;
    return false;
}

/** What wraps every name: "module." of torch's DataParallel, "trained_model." of CT-LiPro, one in the other. */
static void wrapper_find(char out[PREFIX_BYTES], const rvl_weight_file *file)
{
    static const char *const wrappers[] = {"trained_model.module.", "module.trained_model.", "trained_model.",
                                           "module."};

    *out = '\0';
    for (size_t i = 0; !*out && i < RVL_ARRAY_LEN(wrappers); i++)
        if (has_prefix(file, wrappers[i]))
            snprintf(out, PREFIX_BYTES, "%s", wrappers[i]);
}

/** What stands in the file instead of "visual." or "text.": ours, that of CT-CLIP and MPS-CT, GreenRFM, Merlin or
 *  BERT's heads, else nothing. */
static const char *file_prefix_find(char out[PREFIX_BYTES], const rvl_weight_file *file, const char *model_prefix)
{
    static const char *const image[] = {"visual.", "visual_transformer.", "image_encoder.", "encode_image.i3_resnet.",
                                        NULL};
    static const char *const text[] = {"text.",
                                       "text_transformer.bert.",
                                       "text_transformer.",
                                       "text_encoder.bert.",
                                       "text_encoder.",
                                       "encode_text.text_encoder.",
                                       "bert.",
                                       NULL};
    const char *const       *own = rvl_str_equal(model_prefix, "text.") ? text : image;
    char                     wrapper[PREFIX_BYTES];

    wrapper_find(wrapper, file);
    for (; *own; own++) {
        snprintf(out, PREFIX_BYTES, "%.24s%.32s", wrapper, *own);
        if (has_prefix(file, out))
            return out;
    }
    snprintf(out, PREFIX_BYTES, "%s", wrapper);
    return out;
}

/** CT-CLIP's image tower is no tower of ours: better said by its name than by 300 missing keys. */
static rvl_status refuse_ct_vit(const rvl_weight_file *file, const char *path, rvl_error *err)
{
    char name[2 * PREFIX_BYTES];
    char wrapper[PREFIX_BYTES];

    wrapper_find(wrapper, file);
    snprintf(name, sizeof name, "%s%s", wrapper, "visual_transformer.enc_spatial_transformer.");
    if (!has_prefix(file, name))
        return RVL_OK;
    return rvl_fail(
        err, RVL_ERR_UNSUPPORTED,
        "cannot load '%s': its image tower is CT-CLIP's CT-ViT ('%s'), which rvl does not build\n"
        "hint: its text tower loads (--text-tower); image towers of volumes are 3-D ResNets (--arch r3d_18)",
        path, name);
}

/** Unused copies of the projections, and tensors without elements, of which such files hold many. */
static void dead_count(rvl_load_report *report, const rvl_weight_file *file)
{
    for (int i = 0; i < rvl_weight_file_count(file); i++) {
        const char *name = rvl_weight_file_name(file, i);

        if (!strstr(name, "_latent_extra") && rvl_tensor_count(rvl_weight_file_tensor(file, i)) > 0)
            continue;
        if (report->n_dead++ == 0)
            snprintf(report->first_dead, sizeof report->first_dead, "%s", name);
    }
}

/** A tensor of the file, if it is there in this shape (`columns` 0: a vector), as a weight of `m`. */
static rvl_status weight_take(bool *is_taken, rvl_model *m, const rvl_weight_file *file, const char *theirs,
                              const char *ours, int64_t rows, int64_t columns, rvl_error *err)
{
    const rvl_tensor *t = rvl_weight_file_find(file, theirs);
    rvl_tensor       *copy = NULL;

    *is_taken = false;
    if (!t || rvl_tensor_n_dims(t) != (columns ? 2 : 1) || rvl_tensor_shape(t)[0] != rows ||
        (columns && rvl_tensor_shape(t)[1] != columns) || rvl_params_find(m->params, ours))
        return RVL_OK;
    rvl_status st = rvl_tensor_convert(&copy, t, RVL_DTYPE_F32, err);
    *is_taken = !st;
    return st ? st : rvl_params_give(m->params, ours, copy, err);
}

/** The tower's projection by CT-CLIP's name for it, if it has the shape (embed_dim, F). */
static rvl_status projection_take(rvl_model *m, const rvl_weight_file *file, bool is_visual, int embed_dim,
                                  rvl_load_report *report, rvl_error *err)
{
    const char   *ours = is_visual ? "visual_projection.weight" : "text_projection.weight";
    const int64_t features = is_visual ? rvl_image_features(&m->image) : m->text.hidden;
    char          wrapper[PREFIX_BYTES];
    char          name[2 * PREFIX_BYTES];

    wrapper_find(wrapper, file);
    snprintf(name, sizeof name, "%s%s", wrapper, is_visual ? "to_visual_latent.weight" : "to_text_latent.weight");
    return weight_take(&report->has_projection, m, file, name, ours, embed_dim, features, err);
}

/** GreenRFM's classifier: of its first stage on the features, of its second on the embeddings of both towers. The first
 *  stage's may be a layer "fc" within it. */
static rvl_status classifier_take(rvl_model *m, const rvl_weight_file *file, const rvl_load_opts *opts,
                                  rvl_load_report *report, rvl_error *err)
{
    static const char *const ends[2] = {"weight", "bias"};
    const bool               is_shared = opts->embed_dim > 0;
    const int64_t            columns = is_shared ? opts->embed_dim : rvl_image_features(&m->image);
    bool                     is_taken = true;
    char                     wrapper[PREFIX_BYTES];
    rvl_status               st = RVL_OK;

    wrapper_find(wrapper, file);
    for (int i = 0; !st && is_taken && i < 2; i++) {
        char theirs[2 * PREFIX_BYTES];
        char ours[PREFIX_BYTES];
        snprintf(theirs, sizeof theirs, "%sclassifier.%s", wrapper, ends[i]);
        if (!rvl_weight_file_find(file, theirs))
            snprintf(theirs, sizeof theirs, "%sclassifier.fc.%s", wrapper, ends[i]);
        snprintf(ours, sizeof ours, "%s.%s", is_shared ? "label_head" : "head", ends[i]);
        st = weight_take(&is_taken, m, file, theirs, ours, opts->n_classes, i == 0 ? columns : 0, err);
    }
    report->has_classifier = !st && is_taken;
    return st;
}

/** A scalar of the architecture for a message. */
static void value_text(char out[48], const json_t *value)
{
    if (json_is_string(value))
        snprintf(out, 48, "%.40s", json_string_value(value));
    else if (json_is_boolean(value))
        snprintf(out, 48, "%s", json_is_true(value) ? "true" : "false");
    else if (json_is_number(value))
        snprintf(out, 48, "%g", json_number_value(value));
    else
        snprintf(out, 48, "%s", value ? "another list" : "nothing");
}

/** Fields of one part that are not visible in shapes must be as configured, but those that training may choose. */
static rvl_status part_compare(const json_t *ours, const json_t *theirs, const char *path, const char *part,
                               rvl_error *err)
{
    static const char *const shown_by_shape[] = {"dropout",    "pooling",       "in_channels", "image_height",
                                                 "vocab_size", "max_positions", "image_width"};
    const char              *key;
    json_t                  *value;

    json_object_foreach((json_t *)ours, key, value)
    {
        bool skip = false;
        char configured[48];
        char found[48];

        for (size_t i = 0; i < RVL_ARRAY_LEN(shown_by_shape); i++)
            skip = skip || rvl_str_equal(key, shown_by_shape[i]);
        if (skip || json_equal(value, json_object_get(theirs, key)))
            continue;
        value_text(configured, value);
        value_text(found, json_object_get(theirs, key));
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot load '%s': '%s.%s' is %s there, but configured as %s", path, part,
                        key, found, configured);
    }
    return RVL_OK;
}

static rvl_status tokenizer_compare(const rvl_tokenizer *ours, const rvl_tokenizer *theirs, const char *path,
                                    rvl_error *err)
{
    if (!ours || !theirs)
        return RVL_OK;
    if (!rvl_str_equal(rvl_tokenizer_vocab(ours), rvl_tokenizer_vocab(theirs)) ||
        rvl_tokenizer_get_opts(ours).lower_case != rvl_tokenizer_get_opts(theirs).lower_case)
        return rvl_fail(err, RVL_ERR_FORMAT,
                        "cannot load '%s': its tokenizer is not the configured one\n"
                        "hint: use the vocabulary that the text tower was trained with",
                        path);
    return RVL_OK;
}

static void grid_of(int64_t grid[2], const rvl_image_config *cfg)
{
    grid[0] = cfg->vit.image_height / cfg->vit.patch;
    grid[1] = cfg->vit.image_width / cfg->vit.patch;
}

/** A bundle says how its tower was built: compare, and learn the grid of its positions. */
static rvl_status bundle_compare(rvl_key_map *map, const rvl_model *m, const rvl_safetensors *file, const char *path,
                                 const char *part, rvl_error *err)
{
    const char *key = rvl_str_equal(part, "visual") ? "image" : "text";
    rvl_model  *theirs = NULL;
    json_t     *a = NULL;
    json_t     *b = NULL;
    rvl_status  st = rvl_model_new(&theirs, 0, err);

    if (!st)
        st = rvl__bundle_metadata_read(theirs, file, path, err);
    if (st)
        goto done;
    a = rvl__arch_format(m);
    b = rvl__arch_format(theirs);
    if (!a || !b)
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot load '%s': out of memory", path);
    else if (!json_object_get(b, key))
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "cannot load '%s': this bundle has no %s tower", path, key);
    else
        st = part_compare(json_object_get(a, key), json_object_get(b, key), path, key, err);
    if (!st && rvl_str_equal(key, "text"))
        st = tokenizer_compare(m->tokenizer, theirs->tokenizer, path, err);
    if (!st && map->positions)
        grid_of(map->file_grid, &theirs->image);
done:
    json_decref(a);
    json_decref(b);
    rvl_model_free(theirs);
    return st;
}

/** A text tower that was trained with more positions than configured keeps them. */
static void positions_take(rvl_model *m, const rvl_weight_file *file, const char *prefix)
{
    char              name[PREFIX_BYTES + 64];
    const rvl_tensor *t;

    snprintf(name, sizeof name, "%sembeddings.position_embeddings.weight", prefix);
    t = rvl_weight_file_find(file, name);
    if (t && rvl_tensor_n_dims(t) == 2 && rvl_tensor_shape(t)[0] > m->text.max_positions &&
        rvl_tensor_shape(t)[0] <= INT_MAX)
        m->text.max_positions = (int)rvl_tensor_shape(t)[0];
}

static bool has_video_names(const rvl_weight_file *file, const char *prefix)
{
    char name[PREFIX_BYTES + 32];

    snprintf(name, sizeof name, "%sstem.0.weight", prefix);
    return rvl_weight_file_find(file, name) != NULL;
}

rvl_status rvl_model_load_tower(rvl_model *m, const char *path, const char *part, const rvl_load_opts *opts,
                                rvl_load_report *report, rvl_error *err)
{
    bool             is_visual = rvl_str_equal(part, "visual");
    rvl_key_map      map = {.model_prefix = is_visual ? "visual." : "text.",
                            .allow_missing = opts ? opts->allow_missing : NULL,
                            .stem = is_visual && m->image.in_channels == 1 ? rvl_image_stem(&m->image) : NULL,
                            .sum_channels = opts && opts->sum_channels};
    char             prefix[PREFIX_BYTES];
    rvl_load_report  local;
    rvl_weight_file *file = NULL;
    rvl_status       st;

    report = report ? report : &local;
    *report = (rvl_load_report){0};
    if (!is_visual && !rvl_str_equal(part, "text"))
        return rvl_fail(err, RVL_ERR_USAGE, "cannot load '%s': no tower is called '%s' (visual, text)", path, part);
    if (is_visual ? !m->has_image : !m->has_text)
        return rvl_fail(err, RVL_ERR_STATE, "cannot load '%s': the model has no %s tower", path, part);
    if (is_visual && m->image.kind == RVL_IMAGE_VIT) {
        st = rvl__arch_check(m, err);
        if (st)
            return st;
        map.positions = "visual.pos_embed";
        grid_of(map.model_grid, &m->image);
    }
    st = rvl_weight_file_open(&file, path, err);
    if (!st && rvl_weight_file_safetensors(file) &&
        rvl_safetensors_metadata(rvl_weight_file_safetensors(file), "rvl.format"))
        st = bundle_compare(&map, m, rvl_weight_file_safetensors(file), path, part, err);
    if (!st && is_visual)
        st = refuse_ct_vit(file, path, err);
    if (!st) {
        map.file_prefix = file_prefix_find(prefix, file, map.model_prefix);
        map.video_names = is_visual && m->image.kind == RVL_IMAGE_RESNET && has_video_names(file, map.file_prefix);
        map.old_norms = !is_visual;
        if (!is_visual)
            positions_take(m, file, map.file_prefix);
        st = rvl__load_keys(m, file, path, &map, report, err);
        dead_count(report, file);
    }
    if (!st && opts && opts->embed_dim > 0)
        st = projection_take(m, file, is_visual, opts->embed_dim, report, err);
    if (!st && is_visual && opts && opts->n_classes > 0)
        st = classifier_take(m, file, opts, report, err);
    rvl_weight_file_close(file);
    return st;
}
