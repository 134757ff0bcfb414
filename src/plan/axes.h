/* The space of choices: one table of axes, a row each, from which the search, the check of cached choices and all
 * printing come. A candidate is an index into each axis; what it means for a model, a size and a number of threads
 * is a wli_choice. */
#ifndef WLI_AXES_H
#define WLI_AXES_H

#include "plan/setting.h"
#include "schedule/sequence.h"

typedef enum wli_axis_id {
    WLI_AXIS_SCHEDULE,
    WLI_AXIS_THREADS,
    WLI_AXIS_GANG_LAYERS,
    WLI_AXIS_GANG_DIRECTIONS,
    WLI_AXIS_PARTS,
    WLI_AXIS_CHUNK_STEPS,
    WLI_AXIS_PROJECT,
    WLI_AXIS_STEP,
    WLI_AXIS_LANES,
    WLI_AXES
} wli_axis_id;

typedef struct wli_candidate {
    uint8_t index[WLI_AXES]; /* 0 is the default of each axis */
} wli_candidate;

typedef struct wli_axis {
    const char *name;
    size_t field; /* where in a wli_choice the int64_t is that it sets */
    int count;
    const char *const *words; /* [count] names of the values, which are 0, 1, ...; or NULL: */
    const int64_t *numbers;   /* [count] the values; 0: the schedule's or the model's own */
    /* Whether the value in `given` can be used, those of the axes before it being legal. */
    bool (*legal)(const wli_setting *setting, const wli_choice *given);
    bool of_schedule; /* its values mean something else under another schedule */
} wli_axis;

extern const wli_axis wli_axes[WLI_AXES];

/* Stands for the table: names, counts and values. */
uint64_t wli_axes_hash(void);

/* Whether the model can have the schedule there: some way to share the work has more than one thread. */
bool wli_schedule_possible(const wli_setting *setting, wli_schedule schedule);

/* Whether every index is in range and legal, which the candidate must be to be resolved, the schedule the one
 * that is named, and the scratch in proportion. */
bool wli_candidate_legal(const wli_setting *setting, const wli_candidate *candidate);
wli_choice wli_candidate_resolve(const wli_setting *setting, const wli_candidate *candidate);

/* What an axis came to in a choice. */
int64_t wli_choice_value(const wli_choice *choice, wli_axis_id axis);

/* Whether two choices run the same way, whatever the candidates they come from. */
bool wli_choice_equal(const wli_setting *setting, const wli_choice *a, const wli_choice *b);

enum { WLI_CANDIDATE_TEXT = 256 };

/* The axes that are not at their default: "schedule wavefront, chunk_steps 8", or "defaults". */
void wli_candidate_print(const wli_candidate *candidate, char text[WLI_CANDIDATE_TEXT]);

#endif
