#include "schedule/graph.h"

int64_t wli_graph_chunks(const wli_graph *graph, int64_t part) {
    return (graph->lengths[part] + graph->chunk_steps - 1) / graph->chunk_steps;
}

bool wli_graph_first(const wli_graph *graph, wli_node *node) {
    *node = (wli_node){ 0 };
    return wli_graph_chains(graph) > 0;
}

/* From the last part on: of one direction. */
static bool next_layer_or_chunk(const wli_graph *graph, wli_order order, wli_node *node) {
    const int64_t L = graph->layers, chunks = wli_graph_chunks(graph, 0);
    if (order == WLI_BY_CHUNK) {
        if (++node->layer < L) return true;
        node->layer = 0;
        return ++node->chunk < chunks;
    }
    if (node->layer + 1 < L && node->chunk > 0) {
        node->layer++, node->chunk--;
        return true;
    }
    const int64_t front = node->layer + node->chunk + 1;
    node->layer = front < chunks ? 0 : front - chunks + 1;
    node->chunk = front - node->layer;
    return node->layer < L;
}

/* Of two directions. */
static bool next_direction(const wli_graph *graph, wli_node *node) {
    if (node->direction == 0) {
        node->direction = 1;
        return true;
    }
    node->direction = 0;
    if (++node->chunk < wli_graph_chunks(graph, 0)) return true;
    node->chunk = 0;
    return ++node->layer < graph->layers;
}

bool wli_graph_next(const wli_graph *graph, wli_order order, wli_node *node) {
    do {
        if (++node->part < graph->parts) continue;
        node->part = 0;
        if (!(graph->directions == 2 ? next_direction(graph, node) : next_layer_or_chunk(graph, order, node)))
            return false;
    } while (node->chunk >= wli_graph_chunks(graph, node->part));
    return true;
}

int wli_graph_needed(const wli_graph *graph, const wli_node *node, wli_node needed[WLI_MOST_NEEDED]) {
    const int64_t S = graph->chunk_steps;
    int count = 0;
    if (node->chunk > 0) {
        needed[count] = *node;
        needed[count++].chunk--; /* h and c */
    }
    if (node->layer > 0) {
        needed[count] = *node;
        needed[count++].layer--; /* the input */
    }
    if (graph->directions == 2 && node->layer > 0) {
        /* The other half of the input is computed from the other end: its last step here is of the part's longest
         * row. This is also when the buffer that the node writes, of the layer two below, has been read. */
        needed[count] = *node;
        needed[count].layer--, needed[count].direction = 1 - node->direction;
        needed[count++].chunk = (graph->lengths[node->part] - 1 - node->chunk * S) / S;
    }
    if (graph->directions == 1 && node->layer + 1 < graph->layers && node->chunk >= 2) {
        /* The layer above has read what the node will overwrite. */
        needed[count] = *node;
        needed[count].layer++, needed[count++].chunk -= 2;
    }
    return count;
}
