/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/dicom_file.h
 * Small DICOM files made element by element (explicit little endian, PS3.5 section 7.1.2), tags in ascending order.
 */
#ifndef RVL_TESTS_DICOM_FILE_H
#define RVL_TESTS_DICOM_FILE_H
#include "support.h"
#include "base/str.h"

static inline void dicom_u16(rvl_str *s, unsigned x)
{
    const uint8_t b[2] = {(uint8_t)x, (uint8_t)(x >> 8)};
    rvl_str_add_n(s, b, 2);
}

static inline void dicom_bytes(rvl_str *s, uint32_t tag, const char *vr, const void *value, size_t n)
{
    dicom_u16(s, tag >> 16);
    dicom_u16(s, tag & 0xffff);
    rvl_str_add_n(s, vr, 2);
    if (strcmp(vr, "OW") == 0 || strcmp(vr, "OB") == 0 || strcmp(vr, "UN") == 0) {
        dicom_u16(s, 0);
        dicom_u16(s, (unsigned)((n + n % 2) & 0xffff));
        dicom_u16(s, (unsigned)((n + n % 2) >> 16));
    } else {
        dicom_u16(s, (unsigned)(n + n % 2));
    }
    rvl_str_add_n(s, value, n);
    if (n % 2)
        rvl_str_add_n(s, strcmp(vr, "UI") == 0 ? "\0" : " ", 1);
}

static inline void dicom_text(rvl_str *s, uint32_t tag, const char *vr, const char *value)
{
    dicom_bytes(s, tag, vr, value, strlen(value));
}

static inline void dicom_us(rvl_str *s, uint32_t tag, unsigned value)
{
    const uint8_t b[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
    dicom_bytes(s, tag, "US", b, 2);
}

/** Texts of one file; NULL leaves an element out. */
typedef struct {
    const char *modality, *date, *accession, *patient_name, *patient_id, *birth_date, *sex, *age, *body_part, *view;
    const char *study_uid, *series_uid, *instance_uid, *laterality, *burned_in, *description, *private_text;
    const char *position;   /* "0\\0\\5"; gives orientation and spacing too */
    unsigned    side, seed; /* square picture */
} dicom_facts;

static inline void dicom_write(const char *path, const dicom_facts *f)
{
    rvl_str   s = {0};
    uint8_t   zeros[128] = {0}, pixels[64 * 64 * 2];
    uint8_t   version[2] = {0, 1};
    rvl_error err = {0};

    rvl_str_add_n(&s, zeros, 128);
    rvl_str_add(&s, "DICM");
    dicom_bytes(&s, 0x00020001, "OB", version, 2);
    dicom_text(&s, 0x00020010, "UI", "1.2.840.10008.1.2.1");
    const struct {
        uint32_t    tag;
        const char *vr, *text;
    } texts[] = {{0x00080018, "UI", f->instance_uid}, {0x00080020, "DA", f->date},
                 {0x00080050, "SH", f->accession},    {0x00080060, "CS", f->modality},
                 {0x00081030, "LO", f->description},  {0x00090010, "LO", f->private_text ? "RVL TEST" : NULL},
                 {0x00091001, "LO", f->private_text}, {0x00100010, "PN", f->patient_name},
                 {0x00100020, "LO", f->patient_id},   {0x00100030, "DA", f->birth_date},
                 {0x00100040, "CS", f->sex},          {0x00101010, "AS", f->age},
                 {0x00180015, "CS", f->body_part},    {0x00185101, "CS", f->view},
                 {0x0020000d, "UI", f->study_uid},    {0x0020000e, "UI", f->series_uid},
                 {0x00200032, "DS", f->position},     {0x00200037, "DS", f->position ? "1\\0\\0\\0\\1\\0" : NULL},
                 {0x00200062, "CS", f->laterality}};
    for (size_t i = 0; i < RVL_ARRAY_LEN(texts); i++)
        if (texts[i].text)
            dicom_text(&s, texts[i].tag, texts[i].vr, texts[i].text);
    dicom_us(&s, 0x00280002, 1);
    dicom_text(&s, 0x00280004, "CS", "MONOCHROME2");
    dicom_us(&s, 0x00280010, f->side);
    dicom_us(&s, 0x00280011, f->side);
    if (f->position)
        dicom_text(&s, 0x00280030, "DS", "1\\1");
    dicom_us(&s, 0x00280100, 16);
    dicom_us(&s, 0x00280101, 12);
    dicom_us(&s, 0x00280102, 11);
    dicom_us(&s, 0x00280103, 0);
    if (f->burned_in)
        dicom_text(&s, 0x00280301, "CS", f->burned_in);
    if (f->position) {
        dicom_text(&s, 0x00281052, "DS", "-1024");
        dicom_text(&s, 0x00281053, "DS", "1");
    }
    for (unsigned i = 0; i < f->side * f->side; i++) {
        const unsigned x = (i * 7919u + f->seed * 104729u) % 2048;
        pixels[2 * i] = (uint8_t)x;
        pixels[2 * i + 1] = (uint8_t)(x >> 8);
    }
    dicom_bytes(&s, 0x7fe00010, "OW", pixels, (size_t)f->side * f->side * 2);
    assert_false(s.failed);
    assert_int_equal(rvl_file_write(path, s.ptr, s.n_bytes, &err), RVL_OK);
    rvl_str_free(&s);
}

#endif /* RVL_TESTS_DICOM_FILE_H */
