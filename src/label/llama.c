/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/llama.c
 * The wrapper of llama.cpp; the only file that includes its header.
 *
 * llama.cpp aborts the process on a batch above n_batch or a sequence number that it does not have: both are checked
 * here. Sequences of their own cells ("streams") attend to their own tokens only, which is faster for reports of no
 * common text; sequences in shared cells branch without a copy.
 */
#include "label/llama.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/util.h"
#include <llama.h>
#include <stdio.h>
#include <string.h>

#define BATCH_TOK 2048
#define UBATCH_TOK 512
#define SEQUENCES_MAX 256

struct rvl_llama {
    struct llama_model       *model;
    struct llama_context     *context;
    const struct llama_vocab *vocab;
    struct llama_batch        batch;
    rvl_llama_opts            opts;
    int                       n_context_tok;
    int                       n_past[SEQUENCES_MAX];
    int                       n_shared_with[SEQUENCES_MAX]; /* of n_past, tokens whose cells are another's */
    int64_t                   n_evaluated;
};

bool rvl_llama_built(void)
{
    return true;
}

static void log_line(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR)
        rvl_log(RVL_LOG_DEBUG, "llama.cpp: %.*s", (int)strcspn(text, "\n"), text);
}

static bool stop_requested(void *user)
{
    (void)user;
    return rvl_cancel_requested();
}

static rvl_status processor_check(rvl_error *err)
{
#if defined(__x86_64__)
    if ((ggml_cpu_has_avx2() && !__builtin_cpu_supports("avx2")) ||
        (ggml_cpu_has_fma() && !__builtin_cpu_supports("fma")))
        return rvl_fail(err, RVL_ERR_DEVICE, "llama.cpp of this build needs AVX2 and FMA, which the processor lacks");
#endif
    (void)err;
    return RVL_OK;
}

static rvl_status model_load(rvl_llama *l, const char *path, rvl_error *err)
{
    struct llama_model_params params = llama_model_default_params();

    if (!rvl_path_exists(path) || rvl_path_is_dir(path))
        return rvl_fail(err, RVL_ERR_NOT_FOUND, "no model file '%s'", path);
    params.n_gpu_layers = 0;
    l->model = llama_model_load_from_file(path, params);
    if (!l->model)
        return rvl_fail(err, RVL_ERR_FORMAT, "'%s' is no GGUF model that llama.cpp can load, or is damaged", path);
    if (llama_model_has_encoder(l->model) || !llama_model_has_decoder(l->model) || llama_model_is_recurrent(l->model) ||
        llama_model_is_hybrid(l->model) || llama_model_is_diffusion(l->model))
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "'%s' is no plain decoder of text", path);
    l->vocab = llama_model_get_vocab(l->model);
    return RVL_OK;
}

static rvl_status context_make(rvl_llama *l, rvl_error *err)
{
    struct llama_context_params params = llama_context_default_params();
    const int                   n_train = llama_model_n_ctx_train(l->model);
    const rvl_llama_opts       *o = &l->opts;

    l->n_context_tok = n_train > 0 && n_train < o->n_context_tok ? n_train : o->n_context_tok;
    params.n_ctx = (uint32_t)l->n_context_tok * (o->is_shared ? 1U : (uint32_t)o->n_sequences);
    params.n_batch = BATCH_TOK;
    params.n_ubatch = UBATCH_TOK;
    params.n_seq_max = (uint32_t)o->n_sequences;
    params.n_threads = o->n_threads;
    params.n_threads_batch = o->n_threads;
    params.kv_unified = o->is_shared;
    params.no_perf = true;
    params.abort_callback = stop_requested;
    l->context = llama_init_from_model(l->model, params);
    if (!l->context)
        return rvl_fail(err, RVL_ERR_NOMEM, "no memory for %d tokens in %d sequences\nhint: --context or --together",
                        l->n_context_tok, o->n_sequences);
    const int n_real = (int)llama_n_ctx(l->context) / (o->is_shared ? 1 : o->n_sequences);
    if (n_real < l->n_context_tok)
        l->n_context_tok = n_real;
    l->batch = llama_batch_init(BATCH_TOK, 0, 1);
    return RVL_OK;
}

rvl_status rvl_llama_open(rvl_llama **out, const char *path, const rvl_llama_opts *o, rvl_error *err)
{
    rvl_llama *l = NULL;
    rvl_status st = RVL_OK;

    *out = NULL;
    if (o->n_sequences < 2 || o->n_sequences > SEQUENCES_MAX || o->n_context_tok < 64 || o->n_context_tok > 1 << 20 ||
        o->n_threads < 1)
        return rvl_fail(err, RVL_ERR_USAGE, "a context has 64 to 1048576 tokens and 2 to 256 sequences");
    llama_log_set(log_line, NULL);
    st = processor_check(err);
    if (!st && !(l = rvl_alloc_array(1, sizeof *l)))
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory for a language model");
    if (!st) {
        l->opts = *o;
        st = model_load(l, path, err);
    }
    if (!st)
        st = context_make(l, err);
    if (st) {
        rvl_llama_free(l);
        return st;
    }
    *out = l;
    return RVL_OK;
}

void rvl_llama_free(rvl_llama *l)
{
    if (!l)
        return;
    if (l->context) {
        llama_batch_free(l->batch);
        llama_free(l->context);
    }
    llama_model_free(l->model);
    rvl_free(l);
}

int rvl_llama_context_tok(const rvl_llama *l)
{
    return l->n_context_tok;
}

int64_t rvl_llama_evaluated_tok(const rvl_llama *l)
{
    return l->n_evaluated;
}

static rvl_status chat_plain(char **out, const char *system, const char *user, rvl_error *err)
{
    const char  *gap = *system ? "\n\n" : "";
    const size_t n = strlen(system) + strlen(gap) + strlen(user) + 16;

    *out = rvl_alloc(n);
    if (!*out)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for a prompt");
    snprintf(*out, n, "%s%s%s\n\nAnswer:", system, gap, user);
    return RVL_OK;
}

rvl_status rvl_llama_chat(char **out, const rvl_llama *l, const char *system, const char *user, rvl_error *err)
{
    const char *template = llama_model_chat_template(l->model, NULL);
    struct llama_chat_message        messages[2] = {{"system", system}, {"user", user}};
    const struct llama_chat_message *first = *system ? messages : messages + 1;
    const size_t                     n_messages = *system ? 2 : 1;
    int32_t                          n_bytes = (int32_t)(2 * (strlen(system) + strlen(user)) + 1024);

    *out = NULL;
    if (!template)
        return chat_plain(out, system, user, err);
    for (int round = 0; round < 2; round++) {
        rvl_free(*out);
        *out = rvl_alloc((size_t)n_bytes + 1);
        if (!*out)
            return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for a prompt");
        const int32_t n = llama_chat_apply_template(template, first, n_messages, true, *out, n_bytes);
        if (n < 0) {
            rvl_free(*out);
            return chat_plain(out, system, user, err);
        }
        if (n <= n_bytes) {
            (*out)[n] = '\0';
            return RVL_OK;
        }
        n_bytes = n;
    }
    rvl_free(*out);
    *out = NULL;
    return rvl_fail(err, RVL_ERR_INTERNAL, "the chat template grows at each use");
}

rvl_status rvl_llama_tokens(rvl_tokens *out, const rvl_llama *l, const char *text, size_t n_bytes, bool is_first,
                            bool is_markup, rvl_error *err)
{
    *out = (rvl_tokens){0};
    if (n_bytes > (size_t)1 << 26)
        return rvl_fail(err, RVL_ERR_LIMIT, "a text of %zu bytes is too long for a language model", n_bytes);
    const int n_max = (int)n_bytes + 4;
    out->ids = rvl_alloc_array((size_t)n_max, sizeof *out->ids);
    if (!out->ids)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for tokens");
    out->n = llama_tokenize(l->vocab, text, (int32_t)n_bytes, out->ids, n_max, is_first, is_markup);
    if (out->n < 0) {
        rvl_free(out->ids);
        *out = (rvl_tokens){0};
        return rvl_fail(err, RVL_ERR_FORMAT, "the model cannot tokenise the text");
    }
    const int32_t begin = llama_vocab_bos(l->vocab); /* written by the template and by the tokenizer */
    if (is_first && out->n > 1 && begin >= 0 && out->ids[0] == begin && out->ids[1] == begin)
        memmove(out->ids, out->ids + 1, (size_t)--out->n * sizeof *out->ids);
    return RVL_OK;
}

void rvl_llama_drop(rvl_llama *l, int sequence)
{
    RVL_ASSERT(sequence >= 0 && sequence < l->opts.n_sequences);
    llama_memory_seq_rm(llama_get_memory(l->context), sequence, -1, -1);
    l->n_past[sequence] = 0;
    l->n_shared_with[sequence] = 0;
}

void rvl_llama_branch(rvl_llama *l, int from, int to)
{
    RVL_ASSERT(from != to && from >= 0 && from < l->opts.n_sequences);
    rvl_llama_drop(l, to);
    llama_memory_seq_cp(llama_get_memory(l->context), from, to, -1, -1);
    l->n_past[to] = l->n_past[from];
    l->n_shared_with[to] = l->n_past[from];
}

/* Will everything fit? In shared cells all sequences together, each beginning counted once. */
static rvl_status room_check(const rvl_llama *l, const rvl_llama_piece *pieces, int n_pieces, rvl_error *err)
{
    int64_t n_all = 0;
    int64_t n_longest = 0;

    for (int s = 0; s < l->opts.n_sequences; s++) {
        int64_t n = l->n_past[s];
        for (int i = 0; i < n_pieces; i++)
            if (pieces[i].sequence == s)
                n += pieces[i].n;
        n_all += n - l->n_shared_with[s];
        if (n > n_longest)
            n_longest = n;
    }
    const int64_t n = l->opts.is_shared ? n_all : n_longest;
    if (n > l->n_context_tok)
        return rvl_fail(err, RVL_ERR_LIMIT, "%lld tokens do not fit into a context of %d", (long long)n,
                        l->n_context_tok);
    return RVL_OK;
}

typedef struct {
    const rvl_llama_piece *piece;
    int                    row; /* in the batch */
} scored;

static rvl_status batch_run(rvl_llama *l, const scored *wanted, int n_wanted, rvl_error *err)
{
    const int32_t code = llama_decode(l->context, l->batch);

    if (code == 2 || rvl_cancel_requested())
        return rvl_fail(err, RVL_ERR_CANCELLED, "interrupted; run the same command again to go on");
    if (code == 1)
        return rvl_fail(err, RVL_ERR_LIMIT, "the model's context is full");
    if (code)
        return rvl_fail(err, RVL_ERR_INTERNAL, "llama.cpp failed with code %d", (int)code);
    for (int i = 0; i < n_wanted; i++) {
        const float *logits = llama_get_logits_ith(l->context, wanted[i].row);
        if (!logits)
            return rvl_fail(err, RVL_ERR_INTERNAL, "llama.cpp gave no logits");
        for (int c = 0; c < wanted[i].piece->n_candidates; c++)
            wanted[i].piece->scores[c] = logits[wanted[i].piece->candidates[c]];
    }
    l->n_evaluated += l->batch.n_tokens;
    l->batch.n_tokens = 0;
    return RVL_OK;
}

rvl_status rvl_llama_eval(rvl_llama *l, const rvl_llama_piece *pieces, int n_pieces, rvl_error *err)
{
    struct llama_batch *b = &l->batch;
    scored             *wanted = NULL;
    int                 n_wanted = 0;
    rvl_status          st = room_check(l, pieces, n_pieces, err);

    if (!st && !(wanted = rvl_alloc_array((size_t)n_pieces + 1, sizeof *wanted)))
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory for a batch");
    b->n_tokens = 0;
    for (int i = 0; !st && i < n_pieces; i++) {
        const rvl_llama_piece *p = &pieces[i];
        for (int t = 0; !st && t < p->n; t++) {
            const int row = b->n_tokens++;
            b->token[row] = p->ids[t];
            b->pos[row] = l->n_past[p->sequence]++;
            b->n_seq_id[row] = 1;
            b->seq_id[row][0] = p->sequence;
            b->logits[row] = t + 1 == p->n && p->scores;
            if (b->logits[row])
                wanted[n_wanted++] = (scored){.piece = p, .row = row};
            if (b->n_tokens == BATCH_TOK) {
                st = batch_run(l, wanted, n_wanted, err);
                n_wanted = 0;
            }
        }
    }
    if (!st && b->n_tokens > 0)
        st = batch_run(l, wanted, n_wanted, err);
    rvl_free(wanted);
    return st;
}
