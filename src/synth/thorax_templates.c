/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/thorax_templates.c
 * Sentences of CT phantom reports: one set for training and validation, another for test.
 *
 * Rules that tests enforce: the sets share no sentence; a sentence that states a finding names it and holds no
 * negation; a sentence that denies findings holds one. Slots, with a capital for the start of a sentence: {side},
 * {the-side}, {size}, {lobe} "left lower lobe", {mm}, {cm}, {kind}, {device}, {a-device}, {ratio}; {s}, {is}, {v}
 * follow the number of sides; {name} and {a} {b} {c} are titles of findings.
 */
#include "synth/thorax_internal.h"

#define MATERIAL RVL_THORAX_MEDICAL_MATERIAL
#define AORTA RVL_THORAX_ARTERIAL_CALCIFICATION
#define HEART RVL_THORAX_CARDIOMEGALY
#define PERICARDIAL RVL_THORAX_PERICARDIAL_EFFUSION
#define CORONARY RVL_THORAX_CORONARY_CALCIFICATION
#define HERNIA RVL_THORAX_HIATAL_HERNIA
#define NODES RVL_THORAX_LYMPHADENOPATHY
#define EMPHYSEMA RVL_THORAX_EMPHYSEMA
#define ATELECTASIS RVL_THORAX_ATELECTASIS
#define NODULE RVL_THORAX_NODULE
#define OPACITY RVL_THORAX_OPACITY
#define SEQUELA RVL_THORAX_FIBROTIC_SEQUELA
#define EFFUSION RVL_THORAX_PLEURAL_EFFUSION
#define MOSAIC RVL_THORAX_MOSAIC
#define WALLS RVL_THORAX_PERIBRONCHIAL
#define CONSOLIDATION RVL_THORAX_CONSOLIDATION
#define BRONCHIECTASIS RVL_THORAX_BRONCHIECTASIS
#define SEPTA RVL_THORAX_SEPTAL
#define WHOLE RVL_THORAX_N_FINDINGS
#define PRESENT RVL_ROLE_PRESENT
#define CONCLUDE RVL_ROLE_CONCLUDE
#define ABSENT RVL_ROLE_ABSENT
#define HEDGE RVL_ROLE_HEDGE

const rvl_phantom_template rvl_thorax_train_templates[] = {
    {MATERIAL, PRESENT, "There is {a-device} in the chest."},
    {MATERIAL, PRESENT, "{A-device} is observed."},
    {MATERIAL, PRESENT, "Medical material is seen: {device}."},
    {MATERIAL, CONCLUDE, "{A-device} is in place."},
    {MATERIAL, CONCLUDE, "Medical material, {device}."},
    {MATERIAL, ABSENT, "No medical material is observed."},

    {AORTA, PRESENT, "{Size} calcified atheromatous plaques are observed in the wall of the aorta."},
    {AORTA, PRESENT, "Wall calcifications are present in the aortic arch and the descending aorta."},
    {AORTA, PRESENT, "There are {size} atherosclerotic wall calcifications of the thoracic aorta."},
    {AORTA, CONCLUDE, "Aortic atherosclerosis with {size} wall calcifications."},
    {AORTA, CONCLUDE, "Calcified plaques in the aorta."},
    {AORTA, ABSENT, "The wall of the aorta shows no calcification."},

    {HEART, PRESENT, "The heart is enlarged, with a cardiothoracic ratio of {ratio}."},
    {HEART, PRESENT, "Heart size is increased, consistent with {size} cardiomegaly."},
    {HEART, PRESENT, "{Size} cardiomegaly is observed."},
    {HEART, PRESENT, "The transverse diameter of the heart is increased to {cm} cm, cardiomegaly."},
    {HEART, CONCLUDE, "{Size} cardiomegaly."},
    {HEART, CONCLUDE, "Enlarged heart."},
    {HEART, ABSENT, "Heart size is within normal limits, no cardiomegaly."},
    {HEART, ABSENT, "The heart is not enlarged."},

    {PERICARDIAL, PRESENT, "There is a pericardial effusion measuring {mm} mm at its deepest."},
    {PERICARDIAL, PRESENT, "{Size} pericardial effusion surrounds the heart."},
    {PERICARDIAL, PRESENT, "Fluid is observed in the pericardial space, {size} in amount, pericardial effusion."},
    {PERICARDIAL, CONCLUDE, "{Size} pericardial effusion."},
    {PERICARDIAL, CONCLUDE, "Pericardial effusion of {mm} mm."},
    {PERICARDIAL, ABSENT, "Pericardial effusion was not detected."},

    {CORONARY, PRESENT, "{Size} calcific plaques are observed in the coronary arteries."},
    {CORONARY, PRESENT, "Coronary artery wall calcifications are present, {size} in extent."},
    {CORONARY, PRESENT, "There are calcifications along the left anterior descending coronary artery."},
    {CORONARY, CONCLUDE, "{Size} coronary artery calcification."},
    {CORONARY, CONCLUDE, "Coronary atherosclerosis."},
    {CORONARY, ABSENT, "No calcification is seen in the coronary arteries."},

    {HERNIA, PRESENT, "A hiatal hernia of {cm} cm is present at the lower end of the esophagus."},
    {HERNIA, PRESENT, "{Size} sliding hiatal hernia is observed behind the heart."},
    {HERNIA, PRESENT, "Part of the stomach lies above the diaphragm, a {size} hiatal hernia."},
    {HERNIA, CONCLUDE, "{Size} hiatal hernia."},
    {HERNIA, CONCLUDE, "Hiatal hernia, {cm} cm across."},
    {HERNIA, ABSENT, "No hiatal hernia is seen."},

    {NODES, PRESENT, "Enlarged mediastinal lymph nodes are observed, the largest measuring {mm} mm."},
    {NODES, PRESENT, "There is mediastinal and hilar lymphadenopathy, up to {mm} mm."},
    {NODES, PRESENT,
     "Lymph nodes with a diameter of up to {mm} mm are present in paratracheal and subcarinal stations, "
     "lymphadenopathy."},
    {NODES, CONCLUDE, "Mediastinal lymphadenopathy."},
    {NODES, CONCLUDE, "Enlarged lymph nodes up to {mm} mm."},
    {NODES, ABSENT, "No enlarged lymph nodes in prevascular, paratracheal or subcarinal stations."},
    {NODES, ABSENT, "Lymph nodes in pathological size and appearance were not detected."},

    {EMPHYSEMA, PRESENT, "{Size} {kind} emphysema is observed in the upper lobes."},
    {EMPHYSEMA, PRESENT, "Emphysematous areas are present in both lungs, {size} in degree."},
    {EMPHYSEMA, PRESENT, "Both lungs show {size} emphysema of {kind} type."},
    {EMPHYSEMA, CONCLUDE, "{Size} emphysema of both lungs."},
    {EMPHYSEMA, CONCLUDE, "Emphysematous lungs, {kind} type."},
    {EMPHYSEMA, ABSENT, "No emphysema is seen."},

    {ATELECTASIS, PRESENT, "{Kind} atelectasis is observed in the {lobe}."},
    {ATELECTASIS, PRESENT, "There is volume loss with {size} atelectasis of the {lobe}."},
    {ATELECTASIS, PRESENT, "Atelectatic changes, {kind} in type, are present in the {lobe}."},
    {ATELECTASIS, CONCLUDE, "{Kind} atelectasis, {lobe}."},
    {ATELECTASIS, CONCLUDE, "{Size} atelectasis of the {lobe}."},
    {ATELECTASIS, ABSENT, "No atelectasis is observed."},

    {NODULE, PRESENT, "A {kind} nodule with a diameter of {mm} mm is observed in the {lobe}."},
    {NODULE, PRESENT, "There is a {mm} mm {kind} nodule in the {lobe}."},
    {NODULE, PRESENT, "In the {lobe}, a pulmonary nodule measuring {mm} mm is present."},
    {NODULE, CONCLUDE, "{Kind} nodule of {mm} mm in the {lobe}, follow-up is recommended."},
    {NODULE, CONCLUDE, "Pulmonary nodule, {lobe}."},
    {NODULE, ABSENT, "No nodule is detected in either lung."},

    {OPACITY, PRESENT, "{Kind} ground glass opacities are observed in the {lobe}."},
    {OPACITY, PRESENT, "There is ground glass opacity of {size} degree in the {lobe}."},
    {OPACITY, PRESENT, "Increased density of ground glass type is present, {kind} opacity of the {lobe}."},
    {OPACITY, CONCLUDE, "{Kind} ground glass opacity, {lobe}; infection is to be considered."},
    {OPACITY, CONCLUDE, "Ground glass opacities in the {lobe}."},
    {OPACITY, ABSENT, "No ground glass opacity is observed."},

    {SEQUELA, PRESENT, "Fibrotic sequela bands are observed in the {lobe}."},
    {SEQUELA, PRESENT, "There are {size} sequela changes with fibrotic bands in the {lobe}."},
    {SEQUELA, PRESENT, "Pleuroparenchymal sequela density is present in the {lobe}."},
    {SEQUELA, CONCLUDE, "Fibrotic sequela in the {lobe}."},
    {SEQUELA, CONCLUDE, "{Size} sequela changes, {lobe}."},
    {SEQUELA, ABSENT, "No fibrotic sequela is seen."},

    {EFFUSION, PRESENT, "{Size} {side} pleural effusion{s} {is} observed."},
    {EFFUSION, PRESENT, "There is pleural fluid on {the-side} reaching a depth of {mm} mm, pleural effusion."},
    {EFFUSION, PRESENT, "Free pleural effusion of {cm} cm is present on {the-side}."},
    {EFFUSION, CONCLUDE, "{Size} {side} pleural effusion{s}."},
    {EFFUSION, CONCLUDE, "Pleural effusion on {the-side}."},
    {EFFUSION, ABSENT, "Pleural effusion was not detected."},
    {EFFUSION, ABSENT, "No pleural effusion or thickening."},

    {MOSAIC, PRESENT, "A mosaic attenuation pattern is observed in both lungs."},
    {MOSAIC, PRESENT, "Both lungs show {size} mosaic attenuation, small airway disease is considered."},
    {MOSAIC, CONCLUDE, "Mosaic attenuation pattern, {size}."},
    {MOSAIC, CONCLUDE, "Mosaic attenuation of both lungs."},
    {MOSAIC, ABSENT, "No mosaic attenuation pattern is seen."},

    {WALLS, PRESENT, "{Size} peribronchial thickening is observed in both lungs."},
    {WALLS, PRESENT, "The bronchial walls are thickened, peribronchial thickening of {size} degree."},
    {WALLS, CONCLUDE, "Peribronchial thickening."},
    {WALLS, CONCLUDE, "{Size} peribronchial thickening, bronchitis is considered."},
    {WALLS, ABSENT, "No peribronchial thickening is observed."},

    {CONSOLIDATION, PRESENT, "A consolidation with air bronchograms is observed in the {lobe}."},
    {CONSOLIDATION, PRESENT, "There is {size} consolidation in the {lobe}, {cm} cm in extent."},
    {CONSOLIDATION, PRESENT, "The {lobe} contain{v} a consolidation area of {mm} mm."},
    {CONSOLIDATION, CONCLUDE, "Consolidation of the {lobe}, consistent with pneumonia."},
    {CONSOLIDATION, CONCLUDE, "{Size} pneumonic consolidation in the {lobe}."},
    {CONSOLIDATION, ABSENT, "No consolidation is detected."},

    {BRONCHIECTASIS, PRESENT, "{Size} bronchiectasis is observed in the {lobe}."},
    {BRONCHIECTASIS, PRESENT, "Bronchiectatic changes with dilated bronchi are present in the {lobe}."},
    {BRONCHIECTASIS, CONCLUDE, "Bronchiectasis in the {lobe}."},
    {BRONCHIECTASIS, CONCLUDE, "{Size} bronchiectatic changes, {lobe}."},
    {BRONCHIECTASIS, ABSENT, "No bronchiectasis is seen."},

    {SEPTA, PRESENT, "{Size} interlobular septal thickening is observed in the {lobe}."},
    {SEPTA, PRESENT, "Smooth thickening of interlobular septa is present in the {lobe}."},
    {SEPTA, CONCLUDE, "Interlobular septal thickening, {lobe}."},
    {SEPTA, CONCLUDE, "{Size} interlobular septal thickening of the {lobe}."},
    {SEPTA, ABSENT, "No interlobular septal thickening is observed."},

    {WHOLE, HEDGE, "Findings are suspicious for {name}."},
    {WHOLE, HEDGE, "Appearance may represent mild {name}."},
    {WHOLE, HEDGE, "Possible {name} of minimal degree."},
    {WHOLE, HEDGE, "Changes that could be compatible with {name} are noted."},
    {WHOLE, PRESENT, "{Name} is noted."},
    {WHOLE, PRESENT, "There are findings of {name}."},
    {WHOLE, CONCLUDE, "Findings of {name}."},
    {WHOLE, ABSENT, "No {a} was detected."},
    {WHOLE, ABSENT, "{A} is not observed."},
    {WHOLE, ABSENT, "There is no finding of {a}."},
    {WHOLE, ABSENT, "{A} is not present."},
    {WHOLE, ABSENT, "The examination is without {a}."},
    {WHOLE, ABSENT, "No {a}."},
    {WHOLE, RVL_ROLE_NONE_OF_2, "No {a} or {b} is observed."},
    {WHOLE, RVL_ROLE_NONE_OF_2, "{A} and {b} were not detected."},
    {WHOLE, RVL_ROLE_NONE_OF_3, "No {a}, {b} or {c} is observed."},
    {WHOLE, RVL_ROLE_NONE_OF_3, "The examination shows no {a}, {b} or {c}."},
    {WHOLE, RVL_ROLE_CLEAR, "Aeration of both lungs is normal and no infiltrative lesion is detected."},
    {WHOLE, RVL_ROLE_CLEAR, "Both lungs are clear, without active infiltration."},
    {WHOLE, RVL_ROLE_NORMAL, "Thorax CT examination within normal limits."},
    {WHOLE, RVL_ROLE_NORMAL, "No pathological finding in the thorax."},
    {WHOLE, RVL_ROLE_QUALITY, "Trachea and both main bronchi are open."},
    {WHOLE, RVL_ROLE_QUALITY, "Non-contrast axial sections of the thorax were obtained."},
    {WHOLE, RVL_ROLE_QUALITY,
     "Mediastinal structures are evaluated as suboptimal since the examination is unenhanced."},
    {WHOLE, RVL_ROLE_BONE, "Bone structures in the study area are natural."},
    {WHOLE, RVL_ROLE_BONE, "Vertebral corpus heights are preserved."},
    {WHOLE, RVL_ROLE_OLD_BONE, "Degenerative changes are present in the vertebrae."},
    {WHOLE, RVL_ROLE_OLD_BONE, "Osteophytes bridge the vertebral end plates."},
    {WHOLE, 0, NULL},
};

const rvl_phantom_template rvl_thorax_test_templates[] = {
    {MATERIAL, PRESENT, "In the chest, {a-device} is present."},
    {MATERIAL, PRESENT, "Medical material of the chest is observed, {a-device}."},
    {MATERIAL, CONCLUDE, "{A-device} is present."},
    {MATERIAL, ABSENT, "Medical material is not seen."},

    {AORTA, PRESENT, "The aorta shows {size} calcified plaques of the wall."},
    {AORTA, PRESENT, "In the wall of the aortic arch {size} calcifications are observed."},
    {AORTA, CONCLUDE, "{Size} aortic wall calcifications."},
    {AORTA, ABSENT, "No calcification is observed in the wall of the aorta."},

    {HEART, PRESENT, "Cardiothoracic ratio is {ratio} and the heart is enlarged."},
    {HEART, PRESENT, "The heart shows {size} increase in size, cardiomegaly."},
    {HEART, CONCLUDE, "Cardiomegaly, {size} in degree."},
    {HEART, ABSENT, "Cardiomegaly is not seen, heart size is normal."},

    {PERICARDIAL, PRESENT, "Pericardial effusion, {size} in amount and {mm} mm in depth, is present."},
    {PERICARDIAL, PRESENT, "{Size} fluid surrounds the heart in the pericardial space."},
    {PERICARDIAL, CONCLUDE, "Pericardial effusion, {size}."},
    {PERICARDIAL, ABSENT, "No fluid is seen in the pericardial space."},

    {CORONARY, PRESENT, "In the coronary arteries, {size} calcifications are seen."},
    {CORONARY, PRESENT, "The coronary arteries contain {size} calcified plaques."},
    {CORONARY, CONCLUDE, "Calcification of coronary arteries, {size}."},
    {CORONARY, ABSENT, "Coronary artery calcification was not detected."},

    {HERNIA, PRESENT, "Behind the heart there is a {size} hiatal hernia of {cm} cm."},
    {HERNIA, PRESENT, "At the esophagus hiatal hernia of {size} degree is observed."},
    {HERNIA, CONCLUDE, "Sliding hiatal hernia, {size}."},
    {HERNIA, ABSENT, "Hiatal hernia was not detected."},

    {NODES, PRESENT, "Lymphadenopathy is present in the mediastinal stations with nodes of up to {mm} mm."},
    {NODES, PRESENT, "Mediastinal lymph nodes are enlarged, the largest {mm} mm in diameter."},
    {NODES, CONCLUDE, "Lymphadenopathy, mediastinal and hilar."},
    {NODES, ABSENT, "Lymph nodes are not enlarged."},

    {EMPHYSEMA, PRESENT, "Emphysema of {size} degree, {kind} type, is present in both lungs."},
    {EMPHYSEMA, PRESENT, "In the upper lobes {size} emphysematous areas are observed."},
    {EMPHYSEMA, CONCLUDE, "Emphysema, {size} in degree."},
    {EMPHYSEMA, ABSENT, "Emphysema was not detected."},

    {ATELECTASIS, PRESENT, "The {lobe} show{v} {size} atelectasis of {kind} type."},
    {ATELECTASIS, PRESENT, "In the {lobe} there is {kind} atelectasis with volume loss."},
    {ATELECTASIS, CONCLUDE, "Atelectasis in the {lobe}, {kind} type."},
    {ATELECTASIS, ABSENT, "Atelectasis is not seen."},

    {NODULE, PRESENT, "The {lobe} contain{v} a {kind} nodule measuring {mm} mm in diameter."},
    {NODULE, PRESENT, "In the {lobe} there is a nodule of {mm} mm, {kind}."},
    {NODULE, CONCLUDE, "A {mm} mm {kind} nodule in the {lobe}."},
    {NODULE, ABSENT, "A pulmonary nodule was not detected."},

    {OPACITY, PRESENT, "In the {lobe} there are {kind} ground glass opacities of {size} degree."},
    {OPACITY, PRESENT, "Opacity of ground glass density is observed in the {lobe}."},
    {OPACITY, CONCLUDE, "{Size} ground glass opacity in the {lobe}."},
    {OPACITY, ABSENT, "Ground glass opacity is not seen."},

    {SEQUELA, PRESENT, "In the {lobe} there are sequela fibrotic bands."},
    {SEQUELA, PRESENT, "Sequela changes, {size} in degree, are observed in the {lobe}."},
    {SEQUELA, CONCLUDE, "Sequela fibrotic changes, {lobe}."},
    {SEQUELA, ABSENT, "Fibrotic sequela was not detected."},

    {EFFUSION, PRESENT, "On {the-side}, {size} pleural effusion with a depth of {mm} mm is present."},
    {EFFUSION, PRESENT, "Pleural fluid is observed on {the-side}, {size} in amount."},
    {EFFUSION, CONCLUDE, "Pleural effusion, {side}, {size}."},
    {EFFUSION, ABSENT, "No pleural fluid is detected on either side."},

    {MOSAIC, PRESENT, "In both lungs a mosaic pattern of attenuation is present."},
    {MOSAIC, CONCLUDE, "{Size} mosaic pattern of both lungs."},
    {MOSAIC, ABSENT, "A mosaic pattern of attenuation is not seen."},

    {WALLS, PRESENT, "In both lungs there is {size} thickening of bronchial walls, peribronchial thickening."},
    {WALLS, CONCLUDE, "Peribronchial thickening of both lungs, {size}."},
    {WALLS, ABSENT, "Peribronchial thickening is not seen."},

    {CONSOLIDATION, PRESENT, "In the {lobe} a {size} consolidation area is observed."},
    {CONSOLIDATION, PRESENT, "Consolidation with air bronchograms is present, {cm} cm, in the {lobe}."},
    {CONSOLIDATION, CONCLUDE, "Pneumonic consolidation, {lobe}."},
    {CONSOLIDATION, ABSENT, "Consolidation is not seen."},

    {BRONCHIECTASIS, PRESENT, "The {lobe} show{v} dilated bronchi, {size} bronchiectasis."},
    {BRONCHIECTASIS, CONCLUDE, "Bronchiectasis of {size} degree, {lobe}."},
    {BRONCHIECTASIS, ABSENT, "Bronchiectasis was not detected."},

    {SEPTA, PRESENT, "In the {lobe} interlobular septa show {size} thickening."},
    {SEPTA, CONCLUDE, "Thickening of interlobular septa in the {lobe}."},
    {SEPTA, ABSENT, "Interlobular septal thickening was not detected."},

    {WHOLE, HEDGE, "Appearance suspicious for {name}."},
    {WHOLE, HEDGE, "Minimal changes may represent {name}."},
    {WHOLE, HEDGE, "Findings could be compatible with mild {name}."},
    {WHOLE, ABSENT, "In the examination {a} is not seen."},
    {WHOLE, RVL_ROLE_NONE_OF_2, "{A} or {b} is not seen."},
    {WHOLE, RVL_ROLE_NONE_OF_2, "The examination shows no {a} or {b}."},
    {WHOLE, RVL_ROLE_NONE_OF_3, "{A}, {b} or {c} was not detected."},
    {WHOLE, RVL_ROLE_NONE_OF_3, "In the thorax no {a}, {b} or {c} is seen."},
    {WHOLE, RVL_ROLE_CLEAR, "Both lungs are normal in aeration, without infiltration."},
    {WHOLE, RVL_ROLE_CLEAR, "No active infiltration is observed in either lung, aeration is normal."},
    {WHOLE, RVL_ROLE_NORMAL, "CT of the thorax shows no pathological finding."},
    {WHOLE, RVL_ROLE_NORMAL, "Normal examination of the thorax."},
    {WHOLE, RVL_ROLE_QUALITY, "The trachea and the main bronchi are open."},
    {WHOLE, RVL_ROLE_QUALITY, "Axial sections of the thorax were obtained without contrast."},
    {WHOLE, RVL_ROLE_BONE, "Bone structures are natural."},
    {WHOLE, RVL_ROLE_BONE, "Heights of vertebral corpus are preserved in the study area."},
    {WHOLE, RVL_ROLE_OLD_BONE, "The vertebrae show degenerative changes."},
    {WHOLE, 0, NULL},
};

const char *rvl_thorax_template_at(bool test, int i)
{
    static const int n_train = RVL_ARRAY_LEN(rvl_thorax_train_templates);
    static const int n_test = RVL_ARRAY_LEN(rvl_thorax_test_templates);

    if (i < 0 || i >= (test ? n_test : n_train))
        return NULL;
    return test ? rvl_thorax_test_templates[i].text : rvl_thorax_train_templates[i].text;
}
