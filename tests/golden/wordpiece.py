#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write tests/unit/data/wordpiece_golden.json: ids of awkward strings by Hugging Face `tokenizers`.

    pip install tokenizers==0.23.3 && python3 tests/golden/wordpiece.py

The parts are those of BertTokenizer (BertNormalizer, BertPreTokenizer, WordPiece). Special tokens are not registered,
so "[SEP]" inside a text is text; [CLS] and [SEP] are not in the lists.
"""
import json
import pathlib

import tokenizers
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

DATA = pathlib.Path(__file__).resolve().parent.parent / "unit" / "data"

TEXTS = [
    "",
    " ",
    "\t\r\n \u3000",
    "No pleural effusion or pneumothorax.",
    "CARDIOMEGALY, mild-to-moderate; no consolidation/atelectasis!",
    "Résumé naïve Ärzte Ångström ñandú São",
    "e\u0301 e\u0300\u0323 o\u0308\u0304 a\u0323\u0302",
    "\u0130stanbul \u0131 I\u0307 i\u0307 ISTANBUL",
    "straße STRASSE \u1e9e",
    "ΣΑΣ σας ΟΔΟΣ Α",
    "Ёж и Жй",
    "中文肺炎 lung中right 肺",
    "\uf900\ufa6d\U0002f800\U00020000\U0002a700\U0002b740\U0002b930\u3400",
    " ".join(f"a{chr(c)}b" for c in (0x33ff, 0x3400, 0x4dbf, 0x4dc0, 0x4e00, 0x9fff, 0xa000, 0xf900, 0xfaff, 0xfb13)),
    " ".join(f"a{chr(c)}b" for c in (0x20000, 0x2a6df, 0x2a700, 0x2b73f, 0x2b740, 0x2b81f, 0x2b920, 0x2ceaf)),
    " ".join(f"a{chr(c)}b" for c in (0x2ceb0, 0x2f7ff, 0x2f800, 0x2fa1f, 0x2fa20)),
    "かなカタカナ がぎ",
    "한국 각 \u1112\u1161\u11ab",
    "😀 😀😀 👨\u200d👩\u200d👧 ❤\ufe0f 🇩🇪",
    "a\u200bb a\u200db a\u00adb \ufeffright left\u2060lung",
    "a\u0001b\u0007c\u001bd\u007fe\u0085f\u009fg",
    "no\u00a0evidence\u2003of\u2028the\u2029heart\u000bis\u000csmall",
    "a\ufffdb\ufffd",
    "\ue000a\uf8ffb\U000f0000c",
    "[CLS] [SEP] [MASK] [PAD] [UNK] [sep] ##s # #",
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "3.5 x 2.1cm (±0.5°) 10² ½ µm € §",
    "“right” ‘left’ «lobe» – — … ¿no? \u2010\u2011\u30fb\u3001\u3002\uff01\uff0c",
    "x" * 100,
    "a" * 101,
    "é" * 100 + " " + "é" * 101,
    "s\u0301" * 100,
    "中" * 120,
    "." * 130,
    "illness unable opacities cardiomegaly atelectasis unseenword\u0416",
    "q\u0301\u0328z \u0344a \u1e69 \u212b \u2126 \ufb01 \uff21\uff22",
    "नमस्ते ไทย عربي עברית",
    "\U0001d165a\U0001d16f \u302ea\u0301",
    "a\u302e\U0001d165 a\U0001d165\u302e",
    "a\u20dd b\u0903c \u0bca",
    "\u1fef\u1ffd\u037e\u0387 \u2000a",
    "No\n\nfindings:\r\n 1. heart\tsize normal",
    "A E N No É Ä \u0130 AÉ NE",
    "\u01c5 \u01c4 \u01f0 \ufb03 \u0149",
]


def make(vocab, lower):
    t = Tokenizer(WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=lower)
    t.pre_tokenizer = BertPreTokenizer()
    return t


def main():
    lines = (DATA / "mini_vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
    vocab = {token: i for i, token in enumerate(lines)}
    assert len(vocab) == len(lines)
    cases = []
    for lower in (True, False):
        t = make(vocab, lower)
        cases += [{"lower_case": lower, "text": x, "ids": t.encode(x, add_special_tokens=False).ids} for x in TEXTS]
    out = {"made_by": f"tests/golden/wordpiece.py, tokenizers {tokenizers.__version__}", "cases": cases}
    text = json.dumps(out, ensure_ascii=True).replace('{"lower_case"', '\n{"lower_case"') + "\n"
    (DATA / "wordpiece_golden.json").write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
