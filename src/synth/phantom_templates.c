/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/phantom_templates.c
 * Sentences of phantom reports: one set for training and validation, another for test.
 *
 * Rules that tests enforce: the sets share no sentence; a sentence that states a finding names it and holds no
 * negation; a sentence that denies findings holds one. Slots: {side} {size} {zone} {mm} {cm} {device}, with a
 * capital for the start of a sentence; {lung} "left lung" or "both lungs"; {field} "left lower lung zone";
 * {s}, {is} and {a-} follow the number.
 */
#include "synth/phantom_internal.h"

#define EFFUSION RVL_PHANTOM_PLEURAL_EFFUSION
#define PTX RVL_PHANTOM_PNEUMOTHORAX
#define CONSOLIDATION RVL_PHANTOM_CONSOLIDATION
#define NODULE RVL_PHANTOM_NODULE
#define HEART RVL_PHANTOM_CARDIOMEGALY
#define ATELECTASIS RVL_PHANTOM_ATELECTASIS
#define EDEMA RVL_PHANTOM_EDEMA
#define DEVICE RVL_PHANTOM_DEVICE
#define WHOLE RVL_PHANTOM_N_FINDINGS
#define PRESENT RVL_ROLE_PRESENT
#define CONCLUDE RVL_ROLE_CONCLUDE
#define ABSENT RVL_ROLE_ABSENT

const rvl_phantom_template rvl_phantom_train_templates[] = {
    {EFFUSION, PRESENT, "{Size} {side} pleural effusion{s}."},
    {EFFUSION, PRESENT, "Blunting of the {side} costophrenic angle{s} by a {size} pleural effusion."},
    {EFFUSION, PRESENT, "{Size} amount of pleural fluid on {the-side}."},
    {EFFUSION, PRESENT, "A meniscus at the base of {the-hemithorax} indicates {size} pleural effusion."},
    {EFFUSION, PRESENT, "The {side} base{s} {is} obscured by a {size} layering pleural effusion."},
    {EFFUSION, PRESENT, "Pleural effusion on {the-side}, {size} in volume."},
    {EFFUSION, PRESENT, "There {is} {size} {side} effusion{s} in the pleural space."},
    {EFFUSION, PRESENT, "{Size} pleural effusion{s} {is} present on {the-side}."},
    {EFFUSION, CONCLUDE, "{Size} {side} pleural effusion{s} as described."},
    {EFFUSION, CONCLUDE, "{Side} pleural effusion{s}."},
    {EFFUSION, CONCLUDE, "Findings of {size} {side} effusion{s}."},
    {EFFUSION, ABSENT, "Both costophrenic angles are sharp, without pleural effusion."},
    {EFFUSION, ABSENT, "Fluid is absent from the pleural space."},

    {PTX, PRESENT, "{Size} {side} pneumothorax."},
    {PTX, PRESENT, "A visible pleural line at the {side} apex indicates a {size} pneumothorax."},
    {PTX, PRESENT, "{Size} pneumothorax on {the-side} with a gap of {mm} mm at the apex."},
    {PTX, PRESENT, "Lung markings are lost at the periphery of {the-hemithorax} due to a {size} pneumothorax."},
    {PTX, PRESENT, "There is a {size} pneumothorax in {the-hemithorax}."},
    {PTX, PRESENT, "Pleural air is seen along the {side} chest wall, indicating a {size} pneumothorax."},
    {PTX, PRESENT, "A {size} pneumothorax is present on {the-side}."},
    {PTX, CONCLUDE, "{Side} pneumothorax, {size}."},
    {PTX, CONCLUDE, "{Size} {side} sided pneumothorax as described."},
    {PTX, CONCLUDE, "Acute finding: {side} pneumothorax."},
    {PTX, ABSENT, "Lung markings extend to the chest wall, without pneumothorax."},
    {PTX, ABSENT, "No pleural air at either apex."},

    {CONSOLIDATION, PRESENT, "{Size} consolidation in the {field}."},
    {CONSOLIDATION, PRESENT, "Airspace opacity in the {field} consistent with {size} consolidation."},
    {CONSOLIDATION, PRESENT, "Patchy consolidation with air bronchograms is noted in the {field}."},
    {CONSOLIDATION, PRESENT, "The {field} show{v} a {size} area of consolidation, about {cm} cm across."},
    {CONSOLIDATION, PRESENT, "There is {size} focal consolidation of the {field}."},
    {CONSOLIDATION, PRESENT, "Ill defined airspace consolidation projects over the {field}."},
    {CONSOLIDATION, CONCLUDE, "Consolidation of the {field}, concerning for infection."},
    {CONSOLIDATION, CONCLUDE, "{Size} {side} {zone} zone consolidation."},
    {CONSOLIDATION, CONCLUDE, "Airspace consolidation suggests pneumonia in the {field}."},
    {CONSOLIDATION, ABSENT, "No focal airspace opacity."},
    {CONSOLIDATION, ABSENT, "Negative for consolidation."},

    {NODULE, PRESENT, "{A-kind} nodule of {mm} mm in the {field}."},
    {NODULE, PRESENT, "A {mm} mm {kind} lung nodule projects over the {field}."},
    {NODULE, PRESENT, "Well defined round lung nodule in the {field}, measuring {mm} mm."},
    {NODULE, PRESENT, "There is {a-kind} pulmonary nodule in the {field}, {cm} cm in diameter."},
    {NODULE, PRESENT, "Single nodule noted in the {field}, {kind} in appearance."},
    {NODULE, PRESENT, "The {field} contains a round nodular density of {mm} mm."},
    {NODULE, PRESENT, "A {kind} lung nodule is present in the {field}."},
    {NODULE, CONCLUDE, "{Side} {zone} zone lung nodule, {mm} mm."},
    {NODULE, CONCLUDE, "Pulmonary nodule in the {field}; follow up is recommended."},
    {NODULE, CONCLUDE, "Single {side} lung nodule as described."},
    {NODULE, ABSENT, "No lung nodule or mass is identified."},
    {NODULE, ABSENT, "Negative for nodular density."},

    {HEART, PRESENT, "The heart is {size2} enlarged."},
    {HEART, PRESENT, "{Size} cardiomegaly."},
    {HEART, PRESENT, "{Size} enlargement of the cardiac silhouette."},
    {HEART, PRESENT, "Cardiac size is increased, with a cardiothoracic ratio of {ratio}."},
    {HEART, PRESENT, "There is {size} cardiomegaly with a cardiothoracic ratio of {ratio}."},
    {HEART, PRESENT, "The cardiomediastinal contour is widened by {size} cardiomegaly."},
    {HEART, CONCLUDE, "{Size} cardiomegaly as described."},
    {HEART, CONCLUDE, "Enlarged heart."},
    {HEART, CONCLUDE, "Findings of {size} cardiomegaly."},
    {HEART, ABSENT, "Heart size is normal."},
    {HEART, ABSENT, "The cardiomediastinal silhouette is unremarkable."},
    {HEART, ABSENT, "Normal cardiac contour."},

    {ATELECTASIS, PRESENT, "{Size} {type} atelectasis in the {field}."},
    {ATELECTASIS, PRESENT, "Volume loss in the {field} consistent with {type} atelectasis."},
    {ATELECTASIS, PRESENT, "{Type} atelectasis is noted in the {field}."},
    {ATELECTASIS, PRESENT, "The {field} show{v} {size} atelectasis with elevation of the diaphragm."},
    {ATELECTASIS, PRESENT, "There is {type} collapse of {size} extent in the {field}, atelectasis."},
    {ATELECTASIS, PRESENT,
     "Opacity with volume loss on {the-side}, in keeping with {size} atelectasis of the {zone} lung."},
    {ATELECTASIS, CONCLUDE, "{Side} {zone} zone atelectasis."},
    {ATELECTASIS, CONCLUDE, "{Size} {type} atelectasis of the {field}."},
    {ATELECTASIS, CONCLUDE, "Volume loss due to {side} atelectasis."},
    {ATELECTASIS, ABSENT, "No volume loss."},
    {ATELECTASIS, ABSENT, "The lungs are well expanded without atelectasis."},

    {EDEMA, PRESENT, "{Size} pulmonary edema."},
    {EDEMA, PRESENT, "{Size} perihilar haze in both lungs consistent with pulmonary edema."},
    {EDEMA, PRESENT, "Vascular congestion with {size} interstitial edema."},
    {EDEMA, PRESENT, "Indistinct vessels and septal lines suggest {size} edema."},
    {EDEMA, PRESENT, "There is bilateral perihilar opacity, {size} pulmonary edema."},
    {EDEMA, PRESENT, "Fluid overload with {size} pulmonary edema is noted."},
    {EDEMA, PRESENT, "{Size} pulmonary edema is present in both lungs."},
    {EDEMA, CONCLUDE, "{Size} pulmonary edema as described."},
    {EDEMA, CONCLUDE, "Findings of {size} edema with fluid overload."},
    {EDEMA, CONCLUDE, "Bilateral pulmonary edema."},
    {EDEMA, ABSENT, "Pulmonary vessels are sharp, without edema."},
    {EDEMA, ABSENT, "Vascular congestion is absent."},

    {DEVICE, PRESENT, "{A-device} projects over the chest."},
    {DEVICE, PRESENT, "Support device: {device}."},
    {DEVICE, PRESENT, "{A-device} is noted in expected position."},
    {DEVICE, PRESENT, "The patient has {a-device}."},
    {DEVICE, PRESENT, "There is {a-device} as a support device."},
    {DEVICE, PRESENT, "Visible {device} in satisfactory position."},
    {DEVICE, CONCLUDE, "Support device as described, {device}."},
    {DEVICE, CONCLUDE, "{A-device} in place."},
    {DEVICE, ABSENT, "No lines or tubes."},
    {DEVICE, ABSENT, "Without support device."},

    {WHOLE, ABSENT, "{A} is not seen."},
    {WHOLE, ABSENT, "No sign of {a}."},
    {WHOLE, ABSENT, "No {a} is identified."},
    {WHOLE, RVL_ROLE_NONE_OF_2, "No {a} or {b}."},
    {WHOLE, RVL_ROLE_NONE_OF_2, "{A} and {b} are not seen."},
    {WHOLE, RVL_ROLE_NONE_OF_2, "Negative for {a} and {b}."},
    {WHOLE, RVL_ROLE_NONE_OF_2, "Neither {a} nor {b} is identified."},
    {WHOLE, RVL_ROLE_NONE_OF_2, "The chest is free of {a} and {b}."},
    {WHOLE, RVL_ROLE_NONE_OF_2, "No evidence of {a} or {b}."},
    {WHOLE, RVL_ROLE_NONE_OF_2, "There is no {a} or {b}."},
    {WHOLE, RVL_ROLE_NONE_OF_3, "No {a}, {b} or {c}."},
    {WHOLE, RVL_ROLE_NONE_OF_3, "No sign of {a}, {b} or {c}."},
    {WHOLE, RVL_ROLE_NONE_OF_3, "{A}, {b} and {c} are not identified."},
    {WHOLE, RVL_ROLE_NONE_OF_3, "There is no evidence of {a}, {b} or {c}."},
    {WHOLE, RVL_ROLE_CLEAR, "The lungs are clear."},
    {WHOLE, RVL_ROLE_CLEAR, "Clear lungs and sharp costophrenic angles."},
    {WHOLE, RVL_ROLE_CLEAR, "Both lungs are well expanded and clear."},
    {WHOLE, RVL_ROLE_NORMAL, "No acute cardiopulmonary process."},
    {WHOLE, RVL_ROLE_NORMAL, "Normal chest radiograph."},
    {WHOLE, RVL_ROLE_NORMAL, "No acute abnormality of the chest."},
    {WHOLE, RVL_ROLE_NORMAL, "Unremarkable frontal view of the chest."},
    {WHOLE, RVL_ROLE_QUALITY, "Frontal {view} view of the chest."},
    {WHOLE, RVL_ROLE_QUALITY, "Single {view} radiograph is submitted."},
    {WHOLE, RVL_ROLE_QUALITY, "The image is of satisfactory quality."},
    {WHOLE, RVL_ROLE_QUALITY, "The patient is slightly rotated."},
    {WHOLE, RVL_ROLE_QUALITY, "{View} projection, as expected for the patient."},
    {WHOLE, RVL_ROLE_BONE, "No acute osseous abnormality."},
    {WHOLE, RVL_ROLE_BONE, "The bones are unremarkable."},
    {WHOLE, RVL_ROLE_BONE, "Ribs and clavicles are intact."},
    {WHOLE, RVL_ROLE_OLD_BONE, "Degenerative changes of the thoracic spine are noted."},
    {WHOLE, RVL_ROLE_OLD_BONE, "Bones show age related change."},
    {WHOLE, 0, NULL},
};

const rvl_phantom_template rvl_phantom_test_templates[] = {
    {EFFUSION, PRESENT, "Layering effusion of {size} volume in {the-hemithorax}."},
    {EFFUSION, PRESENT, "The {side} costophrenic angle{s} {is} obscured, {size} pleural fluid."},
    {EFFUSION, PRESENT, "On {the-side} a {size} pleural effusion is noted."},
    {EFFUSION, CONCLUDE, "Pleural effusion, {side} and {size}."},
    {EFFUSION, CONCLUDE, "Findings consistent with {size} {side} pleural effusion{s}."},
    {
        EFFUSION,
        ABSENT,
        "Pleural effusion is absent, both angles sharp.",
    },

    {PTX, PRESENT, "Pneumothorax of {size} extent at the {side} apex."},
    {PTX, PRESENT, "Air in the {side} pleural space, about {mm} mm across, consistent with pneumothorax."},
    {PTX, PRESENT, "On {the-side} a {size} pneumothorax with visible pleural line is noted."},
    {PTX, CONCLUDE, "Findings indicate {size} pneumothorax on {the-side}."},
    {PTX, CONCLUDE, "Acute {side} pneumothorax."},
    {PTX, ABSENT, "Both lungs extend to the chest wall and pneumothorax is absent."},

    {CONSOLIDATION, PRESENT, "Focal airspace opacity with air bronchograms, {size} consolidation of the {field}."},
    {CONSOLIDATION, PRESENT, "In the {field} a patchy consolidation of {cm} cm is seen."},
    {CONSOLIDATION, PRESENT, "Ill defined opacity on {the-side}, {zone} zone, in keeping with consolidation."},
    {CONSOLIDATION, CONCLUDE, "Findings suggest pneumonia with consolidation of the {field}."},
    {CONSOLIDATION, CONCLUDE, "Focal consolidation, {side} {zone} lung."},
    {CONSOLIDATION, ABSENT, "The lungs show no patchy airspace consolidation."},

    {NODULE, PRESENT, "In the {field} a {kind} nodule measuring {mm} mm is seen."},
    {NODULE, PRESENT, "Round {kind} nodule, {cm} cm in diameter, over the {field}."},
    {NODULE, PRESENT, "On {the-side} there is a single well defined lung nodule of the {zone} zone."},
    {NODULE, CONCLUDE, "Findings of a {mm} mm {side} pulmonary nodule."},
    {NODULE, CONCLUDE, "Nodule of the {field} as described; follow up."},
    {NODULE, ABSENT, "No round density to suggest a nodule."},

    {HEART, PRESENT, "Cardiac silhouette is enlarged, {size} in extent."},
    {HEART, PRESENT, "Heart size is increased consistent with {size} cardiomegaly."},
    {HEART, PRESENT, "The cardiothoracic ratio is {ratio}, indicating cardiomegaly."},
    {HEART, CONCLUDE, "Cardiomegaly, {size}."},
    {HEART, CONCLUDE, "Increased size of the heart, {size} cardiomegaly."},
    {HEART, ABSENT, "Cardiac size and contour are normal."},

    {ATELECTASIS, PRESENT, "In the {field} there is {size} volume loss due to atelectasis."},
    {ATELECTASIS, PRESENT, "Elevation of the diaphragm on {the-side} with {type} atelectasis."},
    {ATELECTASIS, PRESENT, "{Type} opacity of the {field} indicates atelectasis."},
    {ATELECTASIS, CONCLUDE, "Atelectasis, {side} {zone} lung."},
    {ATELECTASIS, CONCLUDE, "Findings of {type} atelectasis on {the-side}."},
    {ATELECTASIS, ABSENT, "Lungs expanded, no collapse."},

    {EDEMA, PRESENT, "Perihilar opacity of both lungs with septal lines, {size} edema."},
    {EDEMA, PRESENT, "Interstitial haze and indistinct vessels suggest {size} pulmonary edema."},
    {EDEMA, PRESENT, "Vascular congestion and edema, {size} in extent."},
    {EDEMA, CONCLUDE, "Fluid overload, {size} pulmonary edema."},
    {EDEMA, CONCLUDE, "Findings consistent with {size} interstitial edema."},
    {EDEMA, ABSENT, "Vessels are sharp and edema is absent."},

    {DEVICE, PRESENT, "In place is {a-device}."},
    {DEVICE, PRESENT, "Over the chest there is {a-device} in satisfactory position."},
    {DEVICE, PRESENT, "Support device in expected position, {a-device}."},
    {DEVICE, CONCLUDE, "{A-device}, position as described."},
    {DEVICE, CONCLUDE, "Support device in place, {device}."},
    {DEVICE, ABSENT, "Lines and tubes are absent."},

    {WHOLE, ABSENT, "The chest is negative for {a}."},
    {WHOLE, ABSENT, "{A} is absent."},
    {WHOLE, RVL_ROLE_NONE_OF_2, "Without {a} or {b}."},
    {WHOLE, RVL_ROLE_NONE_OF_2, "{A} is not identified, nor {b}."},
    {WHOLE, RVL_ROLE_NONE_OF_2, "No sign of either {a} or {b}."},
    {WHOLE, RVL_ROLE_NONE_OF_3, "The lungs and chest are negative for {a}, {b} and {c}."},
    {WHOLE, RVL_ROLE_NONE_OF_3, "Neither {a}, {b} nor {c} is seen."},
    {WHOLE, RVL_ROLE_CLEAR, "Lungs clear and well expanded on both sides."},
    {WHOLE, RVL_ROLE_CLEAR, "The lungs are free of opacity and clear."},
    {WHOLE, RVL_ROLE_NORMAL, "Normal frontal chest image."},
    {WHOLE, RVL_ROLE_NORMAL, "The chest is unremarkable, no acute process."},
    {WHOLE, RVL_ROLE_QUALITY, "Chest radiograph in {view} projection."},
    {WHOLE, RVL_ROLE_QUALITY, "Satisfactory single {view} image of the chest."},
    {WHOLE, RVL_ROLE_BONE, "The ribs are intact."},
    {WHOLE, RVL_ROLE_BONE, "Unremarkable bones."},
    {WHOLE, RVL_ROLE_OLD_BONE, "The spine shows degenerative change."},
    {WHOLE, 0, NULL},
};

const char *rvl_phantom_template_at(bool test, int i)
{
    static const int n_train = RVL_ARRAY_LEN(rvl_phantom_train_templates);
    static const int n_test = RVL_ARRAY_LEN(rvl_phantom_test_templates);

    if (i < 0 || i >= (test ? n_test : n_train))
        return NULL;
    return test ? rvl_phantom_test_templates[i].text : rvl_phantom_train_templates[i].text;
}
