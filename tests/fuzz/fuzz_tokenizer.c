/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_tokenizer.c
 * Any text through a small vocabulary, any bytes as a vocabulary, or any lines as training texts.
 *
 * Byte 0: bit 0 lower case, bits 1-2 what the rest is (0, 1 text; 2 vocabulary; 3 training). Byte 1: length limit.
 */
#include "base/alloc.h"
#include "base/util.h"
#include "text/tokenizer.h"
#include <string.h>

#define MINI                                                                                                           \
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n.\n,\n-\na\nb\nc\ne\ni\nn\no\n##a\n##b\n##c\n##e\n##n\n##o\n##s\nlung\nno\n"  \
    "pleural\neffusion\n##ion\n\xe4\xb8\xad\n\xc3\xa9\n##\xc3\xa9\n\xce\xb1\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode_check(const rvl_tokenizer *t, const char *text, int max_tok)
{
    int32_t ids[258];
    int     n_tok = 0;
    int     n_cut = 0;

    ids[max_tok] = -7;
    if (rvl_tokenizer_encode(ids, &n_tok, &n_cut, t, text, max_tok, NULL) == RVL_OK) {
        RVL_ASSERT(n_tok >= 2 && n_tok <= max_tok && n_cut >= 0 && (n_cut == 0 || n_tok == max_tok));
        for (int i = 0; i < max_tok; i++)
            RVL_ASSERT(rvl_tokenizer_token(t, ids[i]) != NULL);
    }
    RVL_ASSERT(ids[max_tok] == -7);
}

static void train_check(const char *text, bool lower_case)
{
    char          *vocab = NULL;
    rvl_tokenizer *t = NULL;

    if (rvl_wordpiece_train(&vocab, &text, 1, 200, 1, lower_case, NULL) != RVL_OK)
        return;
    RVL_ASSERT(rvl_tokenizer_parse(&t, vocab, strlen(vocab), (rvl_tokenizer_opts){.lower_case = lower_case}, NULL) ==
               RVL_OK);
    encode_check(t, text, 64);
    rvl_tokenizer_free(t);
    rvl_free(vocab);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rvl_tokenizer_opts opts = {0};
    rvl_tokenizer     *t = NULL;
    char              *text = NULL;
    rvl_status         st = RVL_OK;

    if (size < 2)
        return 0;
    opts.lower_case = data[0] & 1;
    int mode = (data[0] >> 1) & 3;
    text = rvl_strndup((const char *)data + 2, size - 2);
    if (!text)
        return 0;
    if (mode == 3) {
        train_check(text, opts.lower_case);
    } else {
        if (mode == 2)
            st = rvl_tokenizer_parse(&t, (const char *)data + 2, size - 2, opts, NULL);
        else
            st = rvl_tokenizer_parse(&t, MINI, sizeof MINI - 1, opts, NULL);
        RVL_ASSERT(mode == 2 || st == RVL_OK);
        if (!st)
            encode_check(t, mode == 2 ? "no lung [SEP] \xc3\xa9" : text, 2 + data[1]);
        rvl_tokenizer_free(t);
    }
    rvl_free(text);
    return 0;
}
