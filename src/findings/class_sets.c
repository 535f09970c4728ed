/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file findings/class_sets.c
 * Class sets of CT-RATE and mappings to RAD-ChestCT.
 *
 * CT-CLIP never said how its column Medical material came from RAD-ChestCT's abnormalities; here it is the table's own
 * column of that name.
 */
#include "findings/class_sets.h"
#include "base/str.h"
#include <string.h>

static const rvl_class_set ct_rate_sets[] = {
    {"ct-rate-18",
     18,
     {"Medical material", "Arterial wall calcification", "Cardiomegaly", "Pericardial effusion",
      "Coronary artery wall calcification", "Hiatal hernia", "Lymphadenopathy", "Emphysema", "Atelectasis",
      "Lung nodule", "Lung opacity", "Pulmonary fibrotic sequela", "Pleural effusion", "Mosaic attenuation pattern",
      "Peribronchial thickening", "Consolidation", "Bronchiectasis", "Interlobular septal thickening"}},
    {"ct-rate-16",
     16,
     {"Arterial wall calcification", "Cardiomegaly", "Pericardial effusion", "Coronary artery wall calcification",
      "Hiatal hernia", "Emphysema", "Atelectasis", "Lung nodule", "Lung opacity", "Pulmonary fibrotic sequela",
      "Pleural effusion", "Mosaic attenuation pattern", "Peribronchial thickening", "Consolidation", "Bronchiectasis",
      "Interlobular septal thickening"}},
};

#define RULES_OF_BOTH                                                                                                  \
    {"Cardiomegaly", {"Cardiomegaly"}, "cardiomegaly"},                                                                \
        {"Pericardial effusion", {"Pericardial effusion"}, "pericardial_effusion"},                                    \
        {"Hiatal hernia", {"Hiatal hernia"}, "hernia"}, {"Emphysema", {"Emphysema"}, "emphysema"},                     \
        {"Atelectasis", {"Atelectasis"}, "atelectasis"}, {"Lung nodule", {"Lung nodule"}, "nodule"},                   \
        {"Lung opacity", {"Lung opacity"}, "opacity"},                                                                 \
        {"Pulmonary fibrotic sequela", {"Pulmonary fibrotic sequela"}, "fibrosis"},                                    \
        {"Pleural effusion", {"Pleural effusion"}, "pleural_effusion"},                                                \
        {"Peribronchial thickening", {"Peribronchial thickening"}, "bronchial_wall_thickening"},                       \
        {"Consolidation", {"Consolidation"}, "consolidation"},                                                         \
        {"Bronchiectasis", {"Bronchiectasis"}, "bronchiectasis"},                                                      \
    {                                                                                                                  \
        "Interlobular septal thickening", {"Interlobular septal thickening"}, "septal_thickening"                      \
    }

static const rvl_class_mapping mappings[] = {
    {"rad-chestct-16",
     16,
     {{"Medical material", {"Medical material"}, "medical_material"},
      {"Calcification", {"Arterial wall calcification", "Coronary artery wall calcification"}, "calcification"},
      {"Lymphadenopathy", {"Lymphadenopathy"}, "lymphadenopathy"},
      RULES_OF_BOTH}},
    {"rad-chestct-15",
     15,
     {{"Arterial wall calcification", {"Arterial wall calcification"}, "calcification"},
      {"Coronary artery wall calcification", {"Coronary artery wall calcification"}, "calcification"},
      RULES_OF_BOTH}},
};

const rvl_class_set *rvl_ct_rate_sets(int *n_sets)
{
    *n_sets = (int)RVL_ARRAY_LEN(ct_rate_sets);
    return ct_rate_sets;
}

const rvl_class_mapping *rvl_class_mapping_find(const char *name)
{
    for (size_t i = 0; i < RVL_ARRAY_LEN(mappings); i++)
        if (strcmp(name, mappings[i].name) == 0)
            return &mappings[i];
    return NULL;
}

static bool is_word(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80;
}

static unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

bool rvl_class_name_equal(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a && !is_word((unsigned char)*a))
            a++;
        while (*b && !is_word((unsigned char)*b))
            b++;
        if (!*a || !*b)
            return !*a && !*b;
        if (lower((unsigned char)*a) != lower((unsigned char)*b))
            return false;
    }
}
