/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/dcmtk.cc
 * A thin shim: every function catches everything, none keeps a C++ object beyond the data set.
 */
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmjpeg/djdecode.h>

#include "imaging/dicom/dcmtk.h"
#include <cstdio>
#include <cstring>
#include <mutex>
#include <new>

struct rvl__dcmtk {
    DcmDataset dataset;
    char       syntax[65];
};

static std::once_flag start_once;

static void dcmtk_start()
{
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    DJDecoderRegistration::registerCodecs(EDC_never, EUC_never, EPC_colorByPixel);
}

static void why_set(char why[RVL__DCMTK_WHY_BYTES], const char *text)
{
    std::snprintf(why, RVL__DCMTK_WHY_BYTES, "%s", text);
}

static DcmItem *item_of(rvl__dcmtk_item *item)
{
    return reinterpret_cast<DcmItem *>(item);
}

static DcmTagKey key_of(rvl__dicom_tag tag)
{
    return DcmTagKey(static_cast<Uint16>(tag >> 16), static_cast<Uint16>(tag & 0xffff));
}

static DcmElement *element_of(rvl__dcmtk_item *item, rvl__dicom_tag tag)
{
    DcmElement *e = nullptr;
    return item_of(item)->findAndGetElement(key_of(tag), e).good() ? e : nullptr;
}

static DcmPixelData *pixels_of(rvl__dcmtk *d)
{
    DcmElement *e = nullptr;
    return d->dataset.findAndGetElement(DCM_PixelData, e).good() ? dynamic_cast<DcmPixelData *>(e) : nullptr;
}

static DcmPixelSequence *sequence_of(rvl__dcmtk *d)
{
    DcmPixelData                     *pixels = pixels_of(d);
    DcmPixelSequence                 *sequence = nullptr;
    E_TransferSyntax                  syntax = EXS_Unknown;
    const DcmRepresentationParameter *parameter = nullptr;

    if (!pixels)
        return nullptr;
    pixels->getOriginalRepresentationKey(syntax, parameter);
    if (!DcmXfer(syntax).isEncapsulated() || pixels->getEncapsulatedRepresentation(syntax, parameter, sequence).bad())
        return nullptr;
    return sequence;
}

static rvl_status dataset_read(rvl__dcmtk *d, const void *bytes, size_t n_bytes, const char *syntax,
                               char why[RVL__DCMTK_WHY_BYTES])
{
    DcmInputBufferStream stream;
    E_TransferSyntax     by = *syntax ? DcmXfer(syntax).getXfer() : EXS_Unknown;

    stream.setBuffer(bytes, static_cast<offile_off_t>(n_bytes));
    stream.setEos();
    d->dataset.transferInit();
    OFCondition done = d->dataset.read(stream, by, EGL_noChange, DCM_MaxReadLength);
    d->dataset.transferEnd();
    if (done.bad()) {
        why_set(why, done.text());
        return RVL_ERR_FORMAT;
    }
    if (d->dataset.card() == 0) {
        why_set(why, "no element in it");
        return RVL_ERR_FORMAT;
    }
    std::snprintf(d->syntax, sizeof d->syntax, "%s", DcmXfer(d->dataset.getOriginalXfer()).getXferID());
    return RVL_OK;
}

bool rvl__dcmtk_vr_is_long(const char vr[3])
{
    return DcmVR(vr).usesExtendedLengthEncoding();
}

rvl_status rvl__dcmtk_parse(rvl__dcmtk **out, const void *bytes, size_t n_bytes, const char *syntax,
                            char why[RVL__DCMTK_WHY_BYTES])
{
    rvl__dcmtk *d = nullptr;
    rvl_status  st = RVL_ERR_NOMEM;

    *out = nullptr;
    why[0] = '\0';
    try {
        std::call_once(start_once, dcmtk_start);
        if (!dcmDataDict.isDictionaryLoaded())
            return RVL_ERR_DEVICE;
        d = new rvl__dcmtk();
        st = dataset_read(d, bytes, n_bytes, syntax, why);
    } catch (const std::bad_alloc &) {
        st = RVL_ERR_NOMEM;
    } catch (...) {
        why_set(why, "DCMTK gave up");
        st = RVL_ERR_FORMAT;
    }
    if (st)
        rvl__dcmtk_free(d);
    else
        *out = d;
    return st;
}

void rvl__dcmtk_free(rvl__dcmtk *d)
{
    try {
        delete d;
    } catch (...) { /* nothing is left to do */
    }
}

const char *rvl__dcmtk_syntax(rvl__dcmtk *d)
{
    return d->syntax;
}

rvl__dcmtk_item *rvl__dcmtk_root(rvl__dcmtk *d)
{
    return reinterpret_cast<rvl__dcmtk_item *>(static_cast<DcmItem *>(&d->dataset));
}

rvl__dcmtk_item *rvl__dcmtk_get_item(rvl__dcmtk_item *item, rvl__dicom_tag tag, int64_t i)
{
    try {
        DcmSequenceOfItems *sequence = dynamic_cast<DcmSequenceOfItems *>(element_of(item, tag));
        if (!sequence || i < 0 || static_cast<uint64_t>(i) >= sequence->card())
            return nullptr;
        return reinterpret_cast<rvl__dcmtk_item *>(sequence->getItem(static_cast<unsigned long>(i)));
    } catch (...) {
        return nullptr;
    }
}

bool rvl__dcmtk_has(rvl__dcmtk_item *item, rvl__dicom_tag tag)
{
    try {
        return element_of(item, tag) != nullptr;
    } catch (...) {
        return false;
    }
}

bool rvl__dcmtk_value(char *out, size_t n_bytes, rvl__dcmtk_item *item, rvl__dicom_tag tag, int64_t i)
{
    out[0] = '\0';
    try {
        OFString    text;
        DcmElement *e = element_of(item, tag);
        if (!e || e->getOFString(text, static_cast<unsigned long>(i)).bad())
            return false;
        size_t first = text.find_first_not_of(' ');
        size_t last = text.find_last_not_of(' ');
        if (first == OFString_npos || last - first + 1 >= n_bytes)
            return false;
        std::memcpy(out, text.c_str() + first, last - first + 1);
        out[last - first + 1] = '\0';
        return true;
    } catch (...) {
        return false;
    }
}

bool rvl__dcmtk_raw(const char **out, size_t *n_bytes, rvl__dcmtk_item *item, rvl__dicom_tag tag)
{
    try {
        char       *text = nullptr;
        Uint32      length = 0;
        DcmElement *e = element_of(item, tag);
        if (!e || e->getString(text, length).bad() || !text)
            return false;
        *out = text;
        *n_bytes = length;
        return true;
    } catch (...) {
        return false;
    }
}

bool rvl__dcmtk_words(const uint16_t **out, size_t *n_words, rvl__dcmtk_item *item, rvl__dicom_tag tag)
{
    try {
        Uint16     *words = nullptr;
        Sint16     *signed_words = nullptr;
        DcmElement *e = element_of(item, tag);
        if (!e)
            return false;
        if (e->ident() == EVR_SS && e->getSint16Array(signed_words).good())
            words = reinterpret_cast<Uint16 *>(signed_words);
        else if (e->getUint16Array(words).bad())
            return false;
        *out = words;
        *n_words = e->getLength() / 2;
        return words != nullptr;
    } catch (...) {
        return false;
    }
}

bool rvl__dcmtk_native(const uint8_t **out, size_t *n_bytes, rvl__dcmtk *d, rvl__dicom_tag tag)
{
    try {
        Uint8      *bytes = nullptr;
        DcmElement *e = element_of(rvl__dcmtk_root(d), tag);
        if (!e || (e->getTag() == DCM_PixelData && sequence_of(d)))
            return false;
        if (e->getTag() == DCM_FloatPixelData) {
            Float32 *values = nullptr;
            if (e->getFloat32Array(values).bad())
                return false;
            bytes = reinterpret_cast<Uint8 *>(values);
        } else if (e->getTag() == DCM_DoubleFloatPixelData) {
            Float64 *values = nullptr;
            if (e->getFloat64Array(values).bad())
                return false;
            bytes = reinterpret_cast<Uint8 *>(values);
        } else if (e->getUint8Array(bytes).bad()) {
            return false;
        }
        *out = bytes;
        *n_bytes = e->getLength();
        return bytes != nullptr;
    } catch (...) {
        return false;
    }
}

int64_t rvl__dcmtk_n_fragments(rvl__dcmtk *d)
{
    try {
        DcmPixelSequence *sequence = sequence_of(d);
        return sequence ? static_cast<int64_t>(sequence->card()) : 0;
    } catch (...) {
        return 0;
    }
}

bool rvl__dcmtk_fragment(const uint8_t **out, size_t *n_bytes, rvl__dcmtk *d, int64_t i)
{
    try {
        DcmPixelSequence *sequence = sequence_of(d);
        DcmPixelItem     *fragment = nullptr;
        Uint8            *bytes = nullptr;
        *out = nullptr;
        *n_bytes = 0;
        if (!sequence || sequence->getItem(fragment, static_cast<unsigned long>(i)).bad())
            return false;
        if (fragment->getLength() > 0 && fragment->getUint8Array(bytes).bad())
            return false;
        *out = bytes;
        *n_bytes = fragment->getLength();
        return true;
    } catch (...) {
        return false;
    }
}

rvl_status rvl__dcmtk_jpeg(uint8_t *out, size_t n_bytes, rvl__dcmtk *d, int64_t i_frame, int64_t i_fragment,
                           char why[RVL__DCMTK_WHY_BYTES])
{
    try {
        OFString      colour;
        Uint32        start = static_cast<Uint32>(i_fragment);
        DcmPixelData *pixels = pixels_of(d);
        if (!pixels)
            return RVL_ERR_FORMAT;
        OFCondition done = pixels->getUncompressedFrame(&d->dataset, static_cast<Uint32>(i_frame), start, out,
                                                        static_cast<Uint32>(n_bytes), colour);
        why_set(why, done.text());
        return done.good() ? RVL_OK : done == EC_MemoryExhausted ? RVL_ERR_NOMEM : RVL_ERR_FORMAT;
    } catch (const std::bad_alloc &) {
        return RVL_ERR_NOMEM;
    } catch (...) {
        why_set(why, "DCMTK gave up");
        return RVL_ERR_FORMAT;
    }
}
