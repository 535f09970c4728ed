/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/model.h
 * A model: towers, heads, params and state, preprocessing, tokenizer, finding schema and similarity in one bundle.
 *
 * Weight names follow the field: image tower "visual.conv1.weight", "visual.layer1.0.conv1.weight" (torchvision
 * behind the prefix; a vision transformer as in timm), text tower "text.embeddings.word_embeddings.weight" (Hugging
 * Face BERT behind the prefix), "visual_projection.weight", "text_projection.weight", "logit_scale", "head.weight",
 * "head.bias".
 */
#ifndef RVL_MODEL_MODEL_H
#define RVL_MODEL_MODEL_H
#include "findings/schema.h"
#include "rvl/ops.h"
#include "rvl/plan.h"
#include "text/tokenizer.h"
#include <jansson.h>

/** ResNet of any width and depth, in 2-D or 3-D by the rank of its input. */
typedef struct {
    int  width;                    /* channels of layer1 (64 in ResNet-18) */
    int  blocks[4];                /* per stage, e.g. 2 2 2 2; 0 leaves the stage out */
    bool bottleneck;               /* expansion 4 */
    int  stem_kernel, stem_stride; /* 7, 2; padded by (kernel - 1) / 2, not at all where they are equal (patches) */
    bool stem_pool;                /* 3x3 stride 2 max-pool after the stem */
    int  stem_depth_kernel, stem_depth_stride; /* in 3-D, along D: 3, 1 in Merlin's and Astra's inflated ResNets; 0: as
                                                  along the other axes */
} rvl_resnet_config;

/** From tokens to one vector. CLS: the first token. MEAN: the mean over real tokens (of a vision transformer: over the
 *  patches). LAST4: the mean over real tokens of the sum of the last four layers' outputs (GLoRIA, Huang et al. 2021,
 * but for padding, which it counts). POOLER: tanh of a linear layer "pooler.dense" on the first token, as BERT's. */
typedef enum { RVL_POOLING_CLS, RVL_POOLING_MEAN, RVL_POOLING_LAST4, RVL_POOLING_POOLER } rvl_pooling;
/** Vision transformer with a class token, for images of one size. */
typedef struct {
    int         image_height, image_width; /* multiples of `patch`; they set the grid of learned positions */
    int         patch;                     /* side of a patch */
    int         hidden, n_layers, n_heads, intermediate;
    rvl_pooling pooling; /* after the last norm; CLS or MEAN */
} rvl_vit_config;

#define RVL_EFFICIENTNET_STAGES 7
/** EfficientNet-Lite of any depth and width; kernels, strides and expansion of the stages are always the same. */
typedef struct {
    int stem_channels;
    int repeats[RVL_EFFICIENTNET_STAGES];  /* blocks a stage, 1 2 2 3 3 4 1 in Lite0; 0 leaves the stage out */
    int channels[RVL_EFFICIENTNET_STAGES]; /* 16 24 40 80 112 192 320 in Lite0 */
    int head_channels;                     /* F */
} rvl_efficientnet_config;

typedef enum { RVL_IMAGE_RESNET, RVL_IMAGE_VIT, RVL_IMAGE_EFFICIENTNET } rvl_image_kind;
/** An image tower: which kind, what goes in, and the configuration of that kind. */
typedef struct {
    rvl_image_kind          kind;
    int                     n_spatial;    /* axes of an image: 2 (H, W) or 3 (D, H, W) */
    int                     in_channels;  /* of the first layer; images of one channel are repeated */
    rvl_resnet_config       resnet;       /* kind RESNET */
    rvl_vit_config          vit;          /* kind VIT, n_spatial 2 */
    rvl_efficientnet_config efficientnet; /* kind EFFICIENTNET, n_spatial 2 */
} rvl_image_config;

typedef struct {
    int         vocab_size, hidden, n_layers, n_heads, intermediate, max_positions, type_vocab;
    double      layer_norm_eps, dropout;
    rvl_pooling pooling;
} rvl_bert_config;

typedef enum { RVL_SIMILARITY_COSINE, RVL_SIMILARITY_DOT, RVL_SIMILARITY_SCALED } rvl_similarity;
typedef struct {
    int            embed_dim;
    rvl_similarity similarity; /* COSINE: embeddings are normalised in the graph */
    bool           learn_temperature;
    double         temperature; /* start, or the fixed value; logits are similarity / temperature */
    bool           label_head;  /* a linear layer (K, E) "label_head", shared by both towers' embeddings (GreenRFM) */
} rvl_clip_config;

/** Named taps of a tower. features[i] is stage i's map, shallow first; tokens (N, T, E) of the last layer, of a vision
 *  transformer after the last norm and with the class token first. */
typedef struct {
    rvl_node        *pooled;      /* (N, F) */
    rvl_node        *tokens;      /* NULL for a ResNet */
    rvl_node        *features[8]; /* none for transformers */
    int              n_features;
    rvl_node *const *hidden; /* n_hidden token maps (N, T, E), as old as the graph: what goes into the first layer of a
                                transformer, then what comes out of each */
    int              n_hidden;
} rvl_taps;

/** The input "image" (N, 1, spatial...): `spatial` holds cfg->n_spatial extents, slowest first. */
rvl_node   *rvl_image_input(rvl_graph *g, const rvl_image_config *cfg, int64_t n, const int64_t *spatial);
/** The tower that `cfg` describes over x (N, 1 or in_channels, spatial...); one channel is repeated in_channels times.
 *  Train or eval mode is per tower; `bn_group` 0: the whole batch. Scoped "visual". Another rank or number of
 *  channels fails the graph (SHAPE). */
rvl_taps    rvl_image_build(rvl_graph *g, rvl_node *x, const rvl_image_config *cfg, bool training, int bn_group);
int         rvl_image_features(const rvl_image_config *cfg); /* F, the width of `pooled` */
/** Extents of an image for which every layer of the tower has work to do: building for it makes all weights. */
void        rvl_image_extents(int64_t spatial[3], const rvl_image_config *cfg);
/** Key of the weight that reads the channels, (O, in_channels, kernel...). */
const char *rvl_image_stem(const rvl_image_config *cfg);
rvl_taps    rvl_resnet_build(rvl_graph *g, rvl_node *x, const rvl_resnet_config *cfg, bool training, int bn_group);
int         rvl_resnet_features(const rvl_resnet_config *cfg);
/** x (N, C, image_height, image_width); another size fails the graph (SHAPE). */
rvl_taps    rvl_vit_build(rvl_graph *g, rvl_node *x, const rvl_vit_config *cfg);
/** x (N, C, H, W) of any size. */
rvl_taps    rvl_efficientnet_build(rvl_graph *g, rvl_node *x, const rvl_efficientnet_config *cfg, bool training,
                                   int bn_group);
/** ids I32 (N, T), mask (N, T) 1 for real tokens. Scoped "text". */
rvl_taps    rvl_bert_build(rvl_graph *g, rvl_node *ids, rvl_node *mask, const rvl_bert_config *cfg, bool training);
/** Linear classifier "head" on pooled features: (N, F) -> (N, K). */
rvl_node   *rvl_head_build(rvl_graph *g, rvl_node *pooled, int n_classes);
/** Projection without bias, normalised for COSINE; `which` "visual_projection" or "text_projection". -> (N, E) */
rvl_node   *rvl_projection_build(rvl_graph *g, rvl_node *pooled, const rvl_clip_config *cfg, const char *which);
/** The shared linear layer "label_head" on embeddings of either tower: (N, E) -> (N, K). */
rvl_node   *rvl_label_head_build(rvl_graph *g, rvl_node *embedding, int n_classes);
/** (BCE of the image's logits + BCE of the text's) (N, K) against the same targets, each the sum of the weighted
 * elements times `scale` (1), which is 1 over the sum of the weights. -> (1) */
rvl_node   *rvl_label_loss(rvl_node *image_logits, rvl_node *text_logits, rvl_node *targets, rvl_node *weights,
                           rvl_node *scale);
/** Logits (N, M) = image (N, E) x text (M, E)^T / temperature; learnable: times exp(clamp(logit_scale, 0, ln 100)). */
rvl_node   *rvl_clip_logits(rvl_graph *g, rvl_node *image, rvl_node *text, const rvl_clip_config *cfg);
/** Symmetric InfoNCE of (N, N) logits: mean of row and column cross-entropy, target the diagonal; ids I32 (N) is an
 *  input 0..N-1 filled by the caller. -> (1). (Radford et al. 2021, fig. 3) */
rvl_node   *rvl_clip_loss(rvl_graph *g, rvl_node *logits, rvl_node *ids);
/** The same with a distribution (N, N) over the right texts of an image in each row, which must be symmetric: its rows
 *  are taken for the right images of a text too. The identity gives rvl_clip_loss. -> (1) */
rvl_node   *rvl_clip_loss_soft(rvl_graph *g, rvl_node *logits, rvl_node *targets);

/** Everything that must travel together. Text parts are optional (has_text false, tokenizer NULL). */
typedef struct {
    rvl_params      *params;
    rvl_state       *state;
    bool             has_image, has_text, has_head, has_clip; /* the head stands on the image tower, if there is one */
    rvl_image_config image;
    rvl_bert_config  text;
    rvl_clip_config  clip;
    json_t          *preprocess; /* canonical JSON of imaging/preprocess.h, which this room may not see */
    rvl_tokenizer   *tokenizer;
    int              max_tok;
    rvl_schema      *schema; /* findings of the head, or of the prompts */
    json_t          *extra;  /* provenance and training facts: bn_group, withheld findings, seed, version, ... */
} rvl_model;

/** What similarities are multiplied by: exp(logit_scale clamped to 0..ln 100) of a learnable temperature, else
 *  1 / temperature. */
double                  rvl_clip_scale(const rvl_model *m);
RVL_MUST_USE rvl_status rvl_model_new(rvl_model **out, uint64_t seed, rvl_error *err); /* empty */
void                    rvl_model_free(rvl_model *m);
/** Make every weight of the parts that the model has (build each part once), so that counts and bundles are whole. */
RVL_MUST_USE rvl_status rvl_model_materialize(rvl_model *m, rvl_error *err);

/** Plans of a model in evaluation mode; inputs "image" (N,1,spatial...), "ids","mask" (N,T). Outputs "embedding" (N,E),
 *  "logits" (N,K) of the head, else of the label head on images, "pooled" (N,F), as the model has them. */
typedef enum { RVL_MODE_EVAL_IMAGE = 1, RVL_MODE_EVAL_TEXT = 2, RVL_MODE_USER = 16 } rvl_model_mode;
/** A build callback for rvl_session_new with an rvl_model as context; key.size: batch, then H, W or D, H, W or T. */
rvl_status rvl_model_build_eval(rvl_graph *g, const rvl_plan_key *key, void *model, rvl_error *err);

/** Bundle: one .safetensors, weights and state under their names, `__metadata__`: rvl.format "rvl.bundle/1",
 *  architecture, preprocess, tokenizer (vocabulary and options), schema, clip, extra: JSON or YAML texts. Atomic. */
RVL_MUST_USE rvl_status rvl_bundle_save(const rvl_model *m, const char *path, rvl_error *err);
typedef struct {
    int  n_matched, n_missing, n_unexpected, n_misshapen;
    int  n_summed, n_resampled; /* of the matched: summed over input channels, positions from another grid */
    int  n_dropped;             /* the stem of a tower for color video, left to start fresh */
    int  n_dead;         /* in the whole file: unused copies ("..._extra") and tensors without elements, skipped */
    bool has_projection; /* the tower's projection came along */
    bool has_classifier; /* and the classifier */
    char first_missing[128], first_unexpected[128], first_misshapen[128], first_summed[128], first_dropped[128];
    char first_dead[128];
    char resampled[128]; /* "visual.pos_embed from 14 x 14 to 16 x 12" */
} rvl_load_report;
/** A bundle made by rvl_bundle_save. */
RVL_MUST_USE rvl_status rvl_bundle_load(rvl_model **out, const char *path, rvl_load_report *report, rvl_error *err);
typedef struct {
    const char *allow_missing; /* comma-separated starts of names that may be missing or misshapen; NULL: none */
    bool        sum_channels; /* a first layer for several channels may fill a tower of one: its kernels are summed over
                                 them, which is what they do to an image repeated in every channel */
    int         embed_dim;    /* take CT-CLIP's or MPS-CT's projection into so many dimensions too, if it is there */
    int n_classes; /* > 0: and GreenRFM's classifier of so many findings, if it is there: as "head" where it reads
                      the image tower's features, as "label_head" where it reads embeddings of `embed_dim` */
} rvl_load_opts;
/** Put the encoder weights of a bundle or a plain weight file (engine/weight_file.h: safetensors, in one file or in
 *  parts, or what torch.save wrote; torchvision's or Hugging Face's names, those of torchvision's video ResNets, also
 *  behind what CT-CLIP, MPS-CT, GreenRFM, CXR-BERT and Merlin put before them) into `m`, which was configured but not
 *  materialised: `part` "visual" or "text". UNSUPPORTED for CT-CLIP's image tower, which is none of ours. Fails on any
 *  missing or misshapen key that `opts` (NULL:
 *  zeros) does not allow; says what was done in the report either way. Positions of a vision transformer for another
 *  image size are resampled (model/pos_embed.h); a plain file's stand on a square. A text tower with more positions
 *  than configured keeps them: `m->text.max_positions` grows. */
RVL_MUST_USE rvl_status rvl_model_load_tower(rvl_model *m, const char *path, const char *part,
                                             const rvl_load_opts *opts, rvl_load_report *report, rvl_error *err);
/** RUN folder (its best checkpoint, else the latest) or file -> bundle path; `*which` says which was taken. */
RVL_MUST_USE rvl_status rvl_bundle_resolve(char **path, char **which, const char *run_or_file, rvl_error *err);

#endif /* RVL_MODEL_MODEL_H */
