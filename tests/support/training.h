/* The gradients of a problem: of a random loss, as a trainer finds them and as the reference does. */
#ifndef TEST_SUPPORT_TRAINING_H
#define TEST_SUPPORT_TRAINING_H

#include "problem.h"

typedef struct gradients {
    void *d_out, *d_h_n, *d_c_n; /* given; NULL is zeros */
    void *d_x, *d_h_0, *d_c_0, *d_parameters;
    int64_t parameters;
} gradients;

/* Random ones by out and now and then by h_n and c_n, room for the others, which hold a wrong value. */
gradients gradients_create(const problem *p, uint64_t *stream);

/* Room for the others of the same loss. */
gradients gradients_like(const problem *p, const gradients *g);

/* `given`: what the loss is by goes as well. */
void gradients_free(gradients *g, bool given);

/* problem_draw, of arrays that trainers take. */
problem problem_draw_for_training(uint64_t *stream);

/* A trainer for the problem on exactly so many threads, also where the machine has fewer; recompute_steps 0: none. */
wlstm_trainer *problem_trainer(const problem *p, int64_t recompute_steps, int threads, wlstm_schedule schedule);

/* A pass forward on a tape, NULL the trainer's own, into fresh outcome memory; training with dropout of this seed. */
wlstm_status problem_train(const problem *p, wlstm_trainer *trainer, uint64_t seed, void *tape, outcome *o);

/* And back, into `g`. */
wlstm_status problem_back(wlstm_trainer *trainer, void *tape, gradients *g);

/* The masks of all layers but the last, as the reference takes them. */
void *problem_mask(const problem *p, const wlstm_trainer *trainer, const void *tape);

/* The reference's outcome and gradients, with that mask or NULL. */
void problem_reference(const problem *p, const void *mask, outcome *o, gradients *g);

/* Each array of a is that of b within rounding, or bit for bit. */
bool gradients_agree(const problem *p, const char *what, const gradients *a, const gradients *b, bool bitwise);

#endif
