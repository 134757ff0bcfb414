/* Crews: threads that own consecutive layers for a whole pass, so that a layer runs beside the one above it, a chunk of
 * steps apart: forward the lower one is ahead, back the upper one. All that is cut within a layer is cut within its
 * crew (team.h). */
#ifndef WLI_CREWS_H
#define WLI_CREWS_H

#include "train/team.h"

/* The most crews of a trainer's passes: with two directions, or where layers are to run one after the other, 1. */
int64_t wli_most_crews(const wlstm_trainer *trainer);

/* The numbers of crews that so many threads can form as the schedule has it: from the first to before the end. */
wli_span wli_possible_crews(const wlstm_trainer *trainer, int64_t threads);

/* How many crews so many threads form for a kept tape's passes: by the rule; and by the trainer's choice, if it is for
 * them, else by the rule. */
int64_t wli_rule_crews(const wlstm_trainer *trainer, const wli_tape *tape, int64_t threads);
int64_t wli_crews_for(const wlstm_trainer *trainer, const wli_tape *tape, int64_t threads);

/* The layers of a crew: about as much work as it has threads. */
wli_span wli_crew_layers(const wlstm_trainer *trainer, int64_t threads, int64_t crew, int64_t crews);

/* Steps of a chunk of `steps` in all, by the rule; all of them where there is one crew. */
int64_t wli_crew_chunk(int64_t crews, int64_t steps, int64_t batch);

/* So many steps take crews as long as one crew this many of its own would: each begins a chunk after the one before. */
double wli_crew_steps(int64_t crews, int64_t chunk_steps, int64_t steps);

/* Steps of a chunk of a window of so many: by the trainer's choice for as many crews, else by the rule. */
int64_t wli_chunk_for(const wli_hand *hand, int64_t steps);

/* While no crew works: no chunk of a window is done. */
void wli_crews_reset(wlstm_trainer *trainer);

/* Forward: returns when the crew below has done chunk `number` of the window. Then, once the crew has done it: tells
 * the crew above. */
void wli_await_below(const wli_hand *hand, int64_t number);
void wli_tell_above(const wli_hand *hand, int64_t number);

/* Back, chunks numbered from the window's last: returns when the crew above has left its gradients, and the one below
 * has read what will be overwritten. Then, once the crew has met with its own in place: tells both. */
void wli_await_neighbours(const wli_hand *hand, int64_t number);
void wli_tell_neighbours(const wli_hand *hand, int64_t number);

#endif
