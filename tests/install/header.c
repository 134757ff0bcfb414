/* The header's initialisers, in C and in C++. */
#include <wavelstm.h>

int main(void) {
    wlstm_lstm_config lstm = WLSTM_LSTM_CONFIG_INIT;
    wlstm_load_options load = WLSTM_LOAD_OPTIONS_INIT;
    wlstm_cell_config cell = WLSTM_CELL_CONFIG_INIT;
    wlstm_plan_options plan = WLSTM_PLAN_OPTIONS_INIT;
    return lstm.struct_size + load.struct_size + cell.struct_size + plan.struct_size == 0;
}
