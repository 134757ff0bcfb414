#include "deal.h"

#include <math.h>

/* How many ranks it takes, dealt in order with no more than `most` to each but one thing; first NULL: only to know. */
static int64_t deal_up_to(double most, const double *costs, int64_t count, int64_t *first) {
    int64_t taken = 0;
    for (int64_t i = 0; i < count; taken++) {
        double sum = costs[i];
        if (first) first[taken] = i;
        for (i++; i < count && sum + costs[i] <= most; i++) sum += costs[i];
    }
    return taken;
}

void wlm_deal_in_order(const double *costs, int64_t count, int ranks, int64_t *first) {
    double low = 0, high = 0;
    for (int64_t i = 0; i < count; i++) {
        if (costs[i] > low) low = costs[i];
        high += costs[i];
    }
    if (deal_up_to(low, costs, count, NULL) > ranks) {
        for (int halving = 0; halving < 64; halving++) { /* `high` serves, `low` does not */
            const double middle = low + (high - low) / 2;
            if (deal_up_to(middle, costs, count, NULL) > ranks)
                low = middle;
            else
                high = middle;
        }
    } else {
        high = low;
    }
    for (int64_t rank = deal_up_to(high, costs, count, first); rank <= ranks; rank++) first[rank] = count;
}

/* Stable: a merge of halves. */
static void sort_part(const int64_t *lengths, int64_t *rows, int64_t count, int64_t *room) {
    if (count < 2) return;
    const int64_t half = count / 2;
    sort_part(lengths, rows, half, room);
    sort_part(lengths, rows + half, count - half, room);
    for (int64_t i = 0; i < half; i++) room[i] = rows[i];
    for (int64_t i = 0, j = half, to = 0; i < half; to++)
        rows[to] = j < count && lengths[rows[j]] > lengths[room[i]] ? rows[j++] : room[i++];
}

void wlm_sort_rows(const int64_t *lengths, int64_t batch, int64_t *row_of, int64_t *room) {
    for (int64_t b = 0; b < batch; b++) row_of[b] = b;
    if (lengths) sort_part(lengths, row_of, batch, room);
}

/* In rounds, every second one backwards: of rows sorted by length, each rank has one of each round. Rank r's are then the sorted rows
 * r, 2 * ranks - 1 - r, 2 * ranks + r, ... */
void wlm_deal_rows(const int64_t *lengths, int64_t batch, int ranks, int64_t *order, int64_t *rows, int64_t *first) {
    if (!lengths) {
        for (int64_t b = 0; b < batch; b++) rows[b] = b;
        for (int64_t r = 0; r <= ranks; r++) first[r] = batch / ranks * r + (r < batch % ranks ? r : batch % ranks);
        return;
    }
    wlm_sort_rows(lengths, batch, order, rows);
    int64_t dealt = 0;
    for (int64_t r = 0; r < ranks; r++) {
        first[r] = dealt;
        for (int64_t round = 0; round * ranks < batch; round++) {
            const int64_t b = round * ranks + (round % 2 ? ranks - 1 - r : r);
            if (b < batch) rows[dealt++] = order[b];
        }
    }
    first[ranks] = dealt;
}

double wlm_layer_cost(int64_t input_size, int64_t hidden_size, int64_t state_size) {
    const double I = (double)input_size, H = (double)hidden_size, R = (double)state_size;
    return 4 * H * (I + R) + (R < H ? R * H : 0) + 16 * H;
}

/* With S stages a call takes T / c + S - 1 chunks, each c steps and what comes once a chunk, a message and the stage's weights from
 * where its other layers left them: least at c = sqrt(T once / ((S - 1) step)). Not less than two steps and four rows, for which
 * weight_ih is read once; nor so long that filling the pipeline takes a quarter of the time. Then as many chunks of equal
 * length: the longest is what fills the pipeline, whatever the others are. */
int64_t wlm_choose_chunk(int64_t T, int64_t B, int stages, double step_cost) {
    /* What a core multiplies and adds during a message, and while it reads a weight, of which there are as many as multiply-adds. */
    const double message_cost = 150000, weight_cost = 5, once = message_cost + weight_cost * step_cost;
    if (stages < 2) return T < 64 ? T : 64;
    const double hops = stages - 1, best = sqrt((double)T * once / (hops * (double)B * step_cost));
    const int64_t rows = (3 + B) / B, quarter = T / (4 * (stages - 1));
    int64_t chunk = best < (double)T ? (int64_t)best : T;
    if (chunk < 2) chunk = 2;
    if (chunk < rows) chunk = rows;
    if (chunk > quarter) chunk = quarter;
    if (chunk < 1) chunk = 1;
    const int64_t chunks = (T + chunk - 1) / chunk;
    return (T + chunks - 1) / chunks;
}
