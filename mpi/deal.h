/* Who does what of a job over ranks. Knows nothing of MPI. */
#ifndef WLM_DEAL_H
#define WLM_DEAL_H

#include <stddef.h>
#include <stdint.h>

/* count things of these costs, in order, over at most `ranks` ranks: rank r has those from first[r] to first[r + 1] - 1, and the
 * largest sum is as small as can be, on as few ranks as it takes. first [ranks + 1]. */
void wlm_deal_in_order(const double *costs, int64_t count, int ranks, int64_t *first);

/* The rows of a batch over ranks, so that all have about as many steps: rank r has rows[first[r]] to rows[first[r + 1] - 1].
 * lengths NULL: all alike. order [batch] is scratch, rows [batch], first [ranks + 1]. */
void wlm_deal_rows(const int64_t *lengths, int64_t batch, int ranks, int64_t *order, int64_t *rows, int64_t *first);

/* Rows by length, the longest first, rows of one length as they come. row_of and room, which is scratch, [batch]. */
void wlm_sort_rows(const int64_t *lengths, int64_t batch, int64_t *row_of, int64_t *room);

/* What a layer does for a row's step, in multiply-adds, the cell's own arithmetic counted as some more. state_size is R. */
double wlm_layer_cost(int64_t input_size, int64_t hidden_size, int64_t state_size);

/* How many of T steps of B rows these stages hand on at once, of which the largest costs so much for a row's step. */
int64_t wlm_choose_chunk(int64_t T, int64_t B, int stages, double step_cost);

#endif
