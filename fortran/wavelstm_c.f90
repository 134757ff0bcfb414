! wavelstm.h for iso_c_binding: wlstm_NAME is c_NAME here. What module wavelstm is built on; programs use that one.
! Written by scripts/bindings.py from the header, the types' defaults from the _INIT macros, but for struct_size.
module wavelstm_c
    use, intrinsic :: iso_c_binding, only: c_char, c_double, c_funptr, c_int, c_int64_t, c_null_ptr, c_ptr, c_size_t
    implicit none
    public

    enum, bind(c)
        enumerator :: WLSTM_OK = 0
        enumerator :: WLSTM_ERROR_INVALID_ARGUMENT = 1
        enumerator :: WLSTM_ERROR_OUT_OF_MEMORY = 2
        enumerator :: WLSTM_ERROR_FILE = 3
        enumerator :: WLSTM_ERROR_FORMAT = 4
        enumerator :: WLSTM_ERROR_MISSING = 5
        enumerator :: WLSTM_ERROR_UNSUPPORTED = 6
        enumerator :: WLSTM_ERROR_BACKEND = 7
    end enum
    enum, bind(c)
        enumerator :: WLSTM_F32 = 0
        enumerator :: WLSTM_F64 = 1
        enumerator :: WLSTM_BF16 = 2
    end enum
    enum, bind(c)
        enumerator :: WLSTM_PRECISION_DEFAULT = 0
        enumerator :: WLSTM_PRECISION_FULL = 1
        enumerator :: WLSTM_PRECISION_BF16 = 2
        enumerator :: WLSTM_PRECISION_INT8 = 3
    end enum
    enum, bind(c)
        enumerator :: WLSTM_BACKEND_AUTO = 0
        enumerator :: WLSTM_BACKEND_REFERENCE = 1
        enumerator :: WLSTM_BACKEND_ONEDNN = 2
        enumerator :: WLSTM_BACKEND_NATIVE = 3
    end enum
    enum, bind(c)
        enumerator :: WLSTM_EFFORT_DEFAULT = 0
        enumerator :: WLSTM_EFFORT_ESTIMATE = 1
        enumerator :: WLSTM_EFFORT_MEASURE = 2
        enumerator :: WLSTM_EFFORT_PATIENT = 3
    end enum
    enum, bind(c)
        enumerator :: WLSTM_SCHEDULE_AUTO = 0
        enumerator :: WLSTM_SCHEDULE_SERIAL = 1
        enumerator :: WLSTM_SCHEDULE_WAVEFRONT = 2
        enumerator :: WLSTM_SCHEDULE_GANGS = 3
    end enum
    enum, bind(c)
        enumerator :: WLSTM_OPTIMIZER_SGD = 0
        enumerator :: WLSTM_OPTIMIZER_ADAM = 1
        enumerator :: WLSTM_OPTIMIZER_ADAMW = 2
    end enum

    type, bind(c) :: wlstm_lstm_config
        integer(c_size_t) :: struct_size = 0
        integer(c_int64_t) :: input_size = 0
        integer(c_int64_t) :: hidden_size = 0
        integer(c_int64_t) :: num_layers = 1
        integer(c_int64_t) :: proj_size = 0
        real(c_double) :: dropout = 0.0_c_double
        integer(c_int) :: bias = 1
        integer(c_int) :: batch_first = 0
        integer(c_int) :: bidirectional = 0
        integer(c_int) :: dtype = WLSTM_F32
    end type

    type, bind(c) :: wlstm_load_options
        integer(c_size_t) :: struct_size = 0
        type(c_ptr) :: prefix = c_null_ptr
        integer(c_int) :: batch_first = 0
        integer(c_int) :: convert = 0
        integer(c_int) :: dtype = WLSTM_F32
        integer(c_int) :: reserved = 0
        integer(c_int) :: compact = 0
        integer(c_int) :: precision = WLSTM_PRECISION_DEFAULT
        integer(c_int64_t) :: first_layer = 0
        integer(c_int64_t) :: num_layers = 0
    end type

    type, bind(c) :: wlstm_cell_config
        integer(c_size_t) :: struct_size = 0
        integer(c_int64_t) :: input_size = 0
        integer(c_int64_t) :: hidden_size = 0
        integer(c_int) :: bias = 1
        integer(c_int) :: dtype = WLSTM_F32
    end type

    type, bind(c) :: wlstm_plan_options
        integer(c_size_t) :: struct_size = 0
        integer(c_int64_t) :: max_seq_len = 0
        integer(c_int64_t) :: max_batch = 0
        integer(c_int) :: num_threads = 0
        integer(c_int) :: backend = WLSTM_BACKEND_AUTO
        integer(c_int) :: effort = WLSTM_EFFORT_DEFAULT
        real(c_double) :: time_limit = 0.0_c_double
        integer(c_int) :: deterministic = 0
        integer(c_int) :: reserved = 0
        integer(c_int) :: schedule = WLSTM_SCHEDULE_AUTO
        integer(c_int) :: precision = WLSTM_PRECISION_DEFAULT
        integer(c_int64_t) :: chunk_steps = 0
    end type

    type, bind(c) :: wlstm_streams_options
        integer(c_size_t) :: struct_size = 0
        integer(c_int64_t) :: max_streams = 0
        integer(c_int64_t) :: max_batch = 0
        integer(c_int) :: num_threads = 0
        integer(c_int) :: precision = WLSTM_PRECISION_DEFAULT
    end type

    type, bind(c) :: wlstm_trainer_options
        integer(c_size_t) :: struct_size = 0
        integer(c_int64_t) :: max_seq_len = 0
        integer(c_int64_t) :: max_batch = 0
        integer(c_int) :: num_threads = 0
        integer(c_int) :: precision = WLSTM_PRECISION_DEFAULT
        integer(c_int64_t) :: recompute_steps = 0
        integer(c_int) :: schedule = WLSTM_SCHEDULE_AUTO
        integer(c_int) :: effort = WLSTM_EFFORT_DEFAULT
    end type

    type, bind(c) :: wlstm_optimizer
        integer(c_size_t) :: struct_size = 0
        integer(c_int) :: kind = WLSTM_OPTIMIZER_ADAM
        integer(c_int) :: nesterov = 0
        real(c_double) :: lr = 1e-3_c_double
        real(c_double) :: momentum = 0.0_c_double
        real(c_double) :: dampening = 0.0_c_double
        real(c_double) :: beta1 = 0.9_c_double
        real(c_double) :: beta2 = 0.999_c_double
        real(c_double) :: eps = 1e-8_c_double
        real(c_double) :: weight_decay = 0.0_c_double
    end type

    interface
        function c_status_string(status) bind(c, name="wlstm_status_string")
            import
            integer(c_int), value :: status
            type(c_ptr) :: c_status_string
        end function
        function c_last_error() bind(c, name="wlstm_last_error")
            import
            type(c_ptr) :: c_last_error
        end function
        function c_lstm_create(config, lstm) bind(c, name="wlstm_lstm_create")
            import
            type(wlstm_lstm_config), intent(in) :: config
            type(c_ptr), intent(out) :: lstm
            integer(c_int) :: c_lstm_create
        end function
        function c_lstm_load(path, options, lstm) bind(c, name="wlstm_lstm_load")
            import
            character(kind=c_char), intent(in) :: path(*)
            type(wlstm_load_options), intent(in) :: options
            type(c_ptr), intent(out) :: lstm
            integer(c_int) :: c_lstm_load
        end function
        function c_tensor_read(path, name, dtype, values, count, ndim, shape) bind(c, name="wlstm_tensor_read")
            import
            character(kind=c_char), intent(in) :: path(*)
            character(kind=c_char), intent(in) :: name(*)
            integer(c_int), value :: dtype
            type(c_ptr), value :: values
            integer(c_int64_t), value :: count
            integer(c_int), intent(out) :: ndim
            integer(c_int64_t), intent(out) :: shape(8)
            integer(c_int) :: c_tensor_read
        end function
        function c_lstm_create_from_cells(cells, count, lstm) bind(c, name="wlstm_lstm_create_from_cells")
            import
            type(c_ptr), intent(in) :: cells(*)
            integer(c_int64_t), value :: count
            type(c_ptr), intent(out) :: lstm
            integer(c_int) :: c_lstm_create_from_cells
        end function
        function c_lstm_save(lstm, path, prefix) bind(c, name="wlstm_lstm_save")
            import
            type(c_ptr), value :: lstm
            character(kind=c_char), intent(in) :: path(*)
            character(kind=c_char), intent(in) :: prefix(*)
            integer(c_int) :: c_lstm_save
        end function
        subroutine c_lstm_free(lstm) bind(c, name="wlstm_lstm_free")
            import
            type(c_ptr), value :: lstm
        end subroutine
        function c_lstm_get_config(lstm, config) bind(c, name="wlstm_lstm_get_config")
            import
            type(c_ptr), value :: lstm
            type(wlstm_lstm_config), intent(inout) :: config
            integer(c_int) :: c_lstm_get_config
        end function
        function c_lstm_reset_parameters(lstm, seed) bind(c, name="wlstm_lstm_reset_parameters")
            import
            type(c_ptr), value :: lstm
            integer(c_int64_t), value :: seed
            integer(c_int) :: c_lstm_reset_parameters
        end function
        function c_lstm_set_precision(lstm, precision) bind(c, name="wlstm_lstm_set_precision")
            import
            type(c_ptr), value :: lstm
            integer(c_int), value :: precision
            integer(c_int) :: c_lstm_set_precision
        end function
        function c_lstm_compact(lstm) bind(c, name="wlstm_lstm_compact")
            import
            type(c_ptr), value :: lstm
            integer(c_int) :: c_lstm_compact
        end function
        function c_lstm_num_parameters(lstm) bind(c, name="wlstm_lstm_num_parameters")
            import
            type(c_ptr), value :: lstm
            integer(c_int64_t) :: c_lstm_num_parameters
        end function
        function c_lstm_parameter_info(lstm, index, name, ndim, shape) bind(c, name="wlstm_lstm_parameter_info")
            import
            type(c_ptr), value :: lstm
            integer(c_int64_t), value :: index
            type(c_ptr), intent(out) :: name
            integer(c_int), intent(out) :: ndim
            integer(c_int64_t), intent(out) :: shape(2)
            integer(c_int) :: c_lstm_parameter_info
        end function
        function c_lstm_set_parameter(lstm, name, values, count) bind(c, name="wlstm_lstm_set_parameter")
            import
            type(c_ptr), value :: lstm
            character(kind=c_char), intent(in) :: name(*)
            type(c_ptr), value :: values
            integer(c_int64_t), value :: count
            integer(c_int) :: c_lstm_set_parameter
        end function
        function c_lstm_get_parameter(lstm, name, values, count) bind(c, name="wlstm_lstm_get_parameter")
            import
            type(c_ptr), value :: lstm
            character(kind=c_char), intent(in) :: name(*)
            type(c_ptr), value :: values
            integer(c_int64_t), value :: count
            integer(c_int) :: c_lstm_get_parameter
        end function
        function c_forward(lstm, seq_len, batch, lengths, x, h_0, c_0, out, h_n, c_n) bind(c, name="wlstm_forward")
            import
            type(c_ptr), value :: lstm
            integer(c_int64_t), value :: seq_len
            integer(c_int64_t), value :: batch
            type(c_ptr), value :: lengths
            type(c_ptr), value :: x
            type(c_ptr), value :: h_0
            type(c_ptr), value :: c_0
            type(c_ptr), value :: out
            type(c_ptr), value :: h_n
            type(c_ptr), value :: c_n
            integer(c_int) :: c_forward
        end function
        function c_forward_packed(lstm, seq_len, batch_sizes, x, h_0, c_0, out, h_n, c_n) &
                bind(c, name="wlstm_forward_packed")
            import
            type(c_ptr), value :: lstm
            integer(c_int64_t), value :: seq_len
            type(c_ptr), value :: batch_sizes
            type(c_ptr), value :: x
            type(c_ptr), value :: h_0
            type(c_ptr), value :: c_0
            type(c_ptr), value :: out
            type(c_ptr), value :: h_n
            type(c_ptr), value :: c_n
            integer(c_int) :: c_forward_packed
        end function
        function c_cell_create(config, cell) bind(c, name="wlstm_cell_create")
            import
            type(wlstm_cell_config), intent(in) :: config
            type(c_ptr), intent(out) :: cell
            integer(c_int) :: c_cell_create
        end function
        function c_cell_load(path, options, cell) bind(c, name="wlstm_cell_load")
            import
            character(kind=c_char), intent(in) :: path(*)
            type(wlstm_load_options), intent(in) :: options
            type(c_ptr), intent(out) :: cell
            integer(c_int) :: c_cell_load
        end function
        function c_cell_save(cell, path, prefix) bind(c, name="wlstm_cell_save")
            import
            type(c_ptr), value :: cell
            character(kind=c_char), intent(in) :: path(*)
            character(kind=c_char), intent(in) :: prefix(*)
            integer(c_int) :: c_cell_save
        end function
        subroutine c_cell_free(cell) bind(c, name="wlstm_cell_free")
            import
            type(c_ptr), value :: cell
        end subroutine
        function c_cell_get_config(cell, config) bind(c, name="wlstm_cell_get_config")
            import
            type(c_ptr), value :: cell
            type(wlstm_cell_config), intent(inout) :: config
            integer(c_int) :: c_cell_get_config
        end function
        function c_cell_reset_parameters(cell, seed) bind(c, name="wlstm_cell_reset_parameters")
            import
            type(c_ptr), value :: cell
            integer(c_int64_t), value :: seed
            integer(c_int) :: c_cell_reset_parameters
        end function
        function c_cell_set_precision(cell, precision) bind(c, name="wlstm_cell_set_precision")
            import
            type(c_ptr), value :: cell
            integer(c_int), value :: precision
            integer(c_int) :: c_cell_set_precision
        end function
        function c_cell_compact(cell) bind(c, name="wlstm_cell_compact")
            import
            type(c_ptr), value :: cell
            integer(c_int) :: c_cell_compact
        end function
        function c_cell_num_parameters(cell) bind(c, name="wlstm_cell_num_parameters")
            import
            type(c_ptr), value :: cell
            integer(c_int64_t) :: c_cell_num_parameters
        end function
        function c_cell_parameter_info(cell, index, name, ndim, shape) bind(c, name="wlstm_cell_parameter_info")
            import
            type(c_ptr), value :: cell
            integer(c_int64_t), value :: index
            type(c_ptr), intent(out) :: name
            integer(c_int), intent(out) :: ndim
            integer(c_int64_t), intent(out) :: shape(2)
            integer(c_int) :: c_cell_parameter_info
        end function
        function c_cell_set_parameter(cell, name, values, count) bind(c, name="wlstm_cell_set_parameter")
            import
            type(c_ptr), value :: cell
            character(kind=c_char), intent(in) :: name(*)
            type(c_ptr), value :: values
            integer(c_int64_t), value :: count
            integer(c_int) :: c_cell_set_parameter
        end function
        function c_cell_get_parameter(cell, name, values, count) bind(c, name="wlstm_cell_get_parameter")
            import
            type(c_ptr), value :: cell
            character(kind=c_char), intent(in) :: name(*)
            type(c_ptr), value :: values
            integer(c_int64_t), value :: count
            integer(c_int) :: c_cell_get_parameter
        end function
        function c_cell_forward(cell, batch, x, h, c, h_out, c_out) bind(c, name="wlstm_cell_forward")
            import
            type(c_ptr), value :: cell
            integer(c_int64_t), value :: batch
            type(c_ptr), value :: x
            type(c_ptr), value :: h
            type(c_ptr), value :: c
            type(c_ptr), value :: h_out
            type(c_ptr), value :: c_out
            integer(c_int) :: c_cell_forward
        end function
        function c_plan_create(lstm, options, plan) bind(c, name="wlstm_plan_create")
            import
            type(c_ptr), value :: lstm
            type(wlstm_plan_options), intent(in) :: options
            type(c_ptr), intent(out) :: plan
            integer(c_int) :: c_plan_create
        end function
        function c_plan_execute(plan, seq_len, batch, lengths, x, h_0, c_0, out, h_n, c_n) &
                bind(c, name="wlstm_plan_execute")
            import
            type(c_ptr), value :: plan
            integer(c_int64_t), value :: seq_len
            integer(c_int64_t), value :: batch
            type(c_ptr), value :: lengths
            type(c_ptr), value :: x
            type(c_ptr), value :: h_0
            type(c_ptr), value :: c_0
            type(c_ptr), value :: out
            type(c_ptr), value :: h_n
            type(c_ptr), value :: c_n
            integer(c_int) :: c_plan_execute
        end function
        function c_plan_execute_packed(plan, seq_len, batch_sizes, x, h_0, c_0, out, h_n, c_n) &
                bind(c, name="wlstm_plan_execute_packed")
            import
            type(c_ptr), value :: plan
            integer(c_int64_t), value :: seq_len
            type(c_ptr), value :: batch_sizes
            type(c_ptr), value :: x
            type(c_ptr), value :: h_0
            type(c_ptr), value :: c_0
            type(c_ptr), value :: out
            type(c_ptr), value :: h_n
            type(c_ptr), value :: c_n
            integer(c_int) :: c_plan_execute_packed
        end function
        function c_plan_describe(plan) bind(c, name="wlstm_plan_describe")
            import
            type(c_ptr), value :: plan
            type(c_ptr) :: c_plan_describe
        end function
        function c_plan_memory(plan, weight_bytes, scratch_bytes) bind(c, name="wlstm_plan_memory")
            import
            type(c_ptr), value :: plan
            integer(c_size_t), intent(out) :: weight_bytes
            integer(c_size_t), intent(out) :: scratch_bytes
            integer(c_int) :: c_plan_memory
        end function
        subroutine c_plan_free(plan) bind(c, name="wlstm_plan_free")
            import
            type(c_ptr), value :: plan
        end subroutine
        function c_streams_create(lstm, options, streams) bind(c, name="wlstm_streams_create")
            import
            type(c_ptr), value :: lstm
            type(wlstm_streams_options), intent(in) :: options
            type(c_ptr), intent(out) :: streams
            integer(c_int) :: c_streams_create
        end function
        subroutine c_streams_free(streams) bind(c, name="wlstm_streams_free")
            import
            type(c_ptr), value :: streams
        end subroutine
        function c_streams_open(streams, id) bind(c, name="wlstm_streams_open")
            import
            type(c_ptr), value :: streams
            integer(c_int64_t), intent(out) :: id
            integer(c_int) :: c_streams_open
        end function
        function c_streams_close(streams, id) bind(c, name="wlstm_streams_close")
            import
            type(c_ptr), value :: streams
            integer(c_int64_t), value :: id
            integer(c_int) :: c_streams_close
        end function
        function c_streams_reset(streams, id) bind(c, name="wlstm_streams_reset")
            import
            type(c_ptr), value :: streams
            integer(c_int64_t), value :: id
            integer(c_int) :: c_streams_reset
        end function
        function c_streams_get_state(streams, id, h, c) bind(c, name="wlstm_streams_get_state")
            import
            type(c_ptr), value :: streams
            integer(c_int64_t), value :: id
            type(c_ptr), value :: h
            type(c_ptr), value :: c
            integer(c_int) :: c_streams_get_state
        end function
        function c_streams_set_state(streams, id, h, c) bind(c, name="wlstm_streams_set_state")
            import
            type(c_ptr), value :: streams
            integer(c_int64_t), value :: id
            type(c_ptr), value :: h
            type(c_ptr), value :: c
            integer(c_int) :: c_streams_set_state
        end function
        function c_streams_step(streams, count, ids, x, out) bind(c, name="wlstm_streams_step")
            import
            type(c_ptr), value :: streams
            integer(c_int64_t), value :: count
            type(c_ptr), value :: ids
            type(c_ptr), value :: x
            type(c_ptr), value :: out
            integer(c_int) :: c_streams_step
        end function
        function c_streams_run(streams, count, ids, seq_len, lengths, x, out) bind(c, name="wlstm_streams_run")
            import
            type(c_ptr), value :: streams
            integer(c_int64_t), value :: count
            type(c_ptr), value :: ids
            integer(c_int64_t), value :: seq_len
            type(c_ptr), value :: lengths
            type(c_ptr), value :: x
            type(c_ptr), value :: out
            integer(c_int) :: c_streams_run
        end function
        function c_trainer_create(lstm, options, trainer) bind(c, name="wlstm_trainer_create")
            import
            type(c_ptr), value :: lstm
            type(wlstm_trainer_options), intent(in) :: options
            type(c_ptr), intent(out) :: trainer
            integer(c_int) :: c_trainer_create
        end function
        subroutine c_trainer_free(trainer) bind(c, name="wlstm_trainer_free")
            import
            type(c_ptr), value :: trainer
        end subroutine
        function c_trainer_parameters(trainer, values, count) bind(c, name="wlstm_trainer_parameters")
            import
            type(c_ptr), value :: trainer
            type(c_ptr), intent(out) :: values
            integer(c_int64_t), intent(out) :: count
            integer(c_int) :: c_trainer_parameters
        end function
        function c_trainer_gradients(trainer, values, count) bind(c, name="wlstm_trainer_gradients")
            import
            type(c_ptr), value :: trainer
            type(c_ptr), intent(out) :: values
            integer(c_int64_t), intent(out) :: count
            integer(c_int) :: c_trainer_gradients
        end function
        function c_trainer_set_parameter(trainer, name, values, count) bind(c, name="wlstm_trainer_set_parameter")
            import
            type(c_ptr), value :: trainer
            character(kind=c_char), intent(in) :: name(*)
            type(c_ptr), value :: values
            integer(c_int64_t), value :: count
            integer(c_int) :: c_trainer_set_parameter
        end function
        function c_trainer_get_parameter(trainer, name, values, count) bind(c, name="wlstm_trainer_get_parameter")
            import
            type(c_ptr), value :: trainer
            character(kind=c_char), intent(in) :: name(*)
            type(c_ptr), value :: values
            integer(c_int64_t), value :: count
            integer(c_int) :: c_trainer_get_parameter
        end function
        function c_trainer_copy_to(trainer, lstm) bind(c, name="wlstm_trainer_copy_to")
            import
            type(c_ptr), value :: trainer
            type(c_ptr), value :: lstm
            integer(c_int) :: c_trainer_copy_to
        end function
        function c_trainer_tape_bytes(trainer, seq_len, batch, bytes) bind(c, name="wlstm_trainer_tape_bytes")
            import
            type(c_ptr), value :: trainer
            integer(c_int64_t), value :: seq_len
            integer(c_int64_t), value :: batch
            integer(c_size_t), intent(out) :: bytes
            integer(c_int) :: c_trainer_tape_bytes
        end function
        function c_trainer_forward(trainer, seq_len, batch, lengths, x, h_0, c_0, out, h_n, c_n, training, seed, first_row, tape) &
                bind(c, name="wlstm_trainer_forward")
            import
            type(c_ptr), value :: trainer
            integer(c_int64_t), value :: seq_len
            integer(c_int64_t), value :: batch
            type(c_ptr), value :: lengths
            type(c_ptr), value :: x
            type(c_ptr), value :: h_0
            type(c_ptr), value :: c_0
            type(c_ptr), value :: out
            type(c_ptr), value :: h_n
            type(c_ptr), value :: c_n
            integer(c_int), value :: training
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first_row
            type(c_ptr), value :: tape
            integer(c_int) :: c_trainer_forward
        end function
        function c_trainer_forward_packed(trainer, seq_len, batch_sizes, x, h_0, c_0, out, h_n, c_n, training, seed, &
                first_row, tape) bind(c, name="wlstm_trainer_forward_packed")
            import
            type(c_ptr), value :: trainer
            integer(c_int64_t), value :: seq_len
            type(c_ptr), value :: batch_sizes
            type(c_ptr), value :: x
            type(c_ptr), value :: h_0
            type(c_ptr), value :: c_0
            type(c_ptr), value :: out
            type(c_ptr), value :: h_n
            type(c_ptr), value :: c_n
            integer(c_int), value :: training
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first_row
            type(c_ptr), value :: tape
            integer(c_int) :: c_trainer_forward_packed
        end function
        function c_trainer_backward(trainer, tape, d_out, d_h_n, d_c_n, d_x, d_h_0, d_c_0, accumulate) &
                bind(c, name="wlstm_trainer_backward")
            import
            type(c_ptr), value :: trainer
            type(c_ptr), value :: tape
            type(c_ptr), value :: d_out
            type(c_ptr), value :: d_h_n
            type(c_ptr), value :: d_c_n
            type(c_ptr), value :: d_x
            type(c_ptr), value :: d_h_0
            type(c_ptr), value :: d_c_0
            integer(c_int), value :: accumulate
            integer(c_int) :: c_trainer_backward
        end function
        function c_trainer_watch_gradients(trainer, ready, context) bind(c, name="wlstm_trainer_watch_gradients")
            import
            type(c_ptr), value :: trainer
            type(c_funptr), value :: ready
            type(c_ptr), value :: context
            integer(c_int) :: c_trainer_watch_gradients
        end function
        function c_trainer_zero_gradients(trainer) bind(c, name="wlstm_trainer_zero_gradients")
            import
            type(c_ptr), value :: trainer
            integer(c_int) :: c_trainer_zero_gradients
        end function
        function c_trainer_clip_gradients(trainer, max_norm, total_norm) bind(c, name="wlstm_trainer_clip_gradients")
            import
            type(c_ptr), value :: trainer
            real(c_double), value :: max_norm
            real(c_double), intent(out) :: total_norm
            integer(c_int) :: c_trainer_clip_gradients
        end function
        function c_trainer_update(trainer, optimizer) bind(c, name="wlstm_trainer_update")
            import
            type(c_ptr), value :: trainer
            type(wlstm_optimizer), intent(in) :: optimizer
            integer(c_int) :: c_trainer_update
        end function
        function c_trainer_dropout_mask(trainer, tape, layer, mask) bind(c, name="wlstm_trainer_dropout_mask")
            import
            type(c_ptr), value :: trainer
            type(c_ptr), value :: tape
            integer(c_int64_t), value :: layer
            type(c_ptr), value :: mask
            integer(c_int) :: c_trainer_dropout_mask
        end function
        function c_trainer_memory(trainer, bytes, tape_bytes) bind(c, name="wlstm_trainer_memory")
            import
            type(c_ptr), value :: trainer
            integer(c_size_t), intent(out) :: bytes
            integer(c_size_t), intent(out) :: tape_bytes
            integer(c_int) :: c_trainer_memory
        end function
        function c_trainer_save(trainer, path) bind(c, name="wlstm_trainer_save")
            import
            type(c_ptr), value :: trainer
            character(kind=c_char), intent(in) :: path(*)
            integer(c_int) :: c_trainer_save
        end function
        function c_trainer_load(trainer, path) bind(c, name="wlstm_trainer_load")
            import
            type(c_ptr), value :: trainer
            character(kind=c_char), intent(in) :: path(*)
            integer(c_int) :: c_trainer_load
        end function
        function c_plan_cache_load(directory) bind(c, name="wlstm_plan_cache_load")
            import
            type(c_ptr), value :: directory
            integer(c_int) :: c_plan_cache_load
        end function
        function c_plan_cache_save(directory) bind(c, name="wlstm_plan_cache_save")
            import
            type(c_ptr), value :: directory
            integer(c_int) :: c_plan_cache_save
        end function
        function c_plan_cache_export(path) bind(c, name="wlstm_plan_cache_export")
            import
            character(kind=c_char), intent(in) :: path(*)
            integer(c_int) :: c_plan_cache_export
        end function
        function c_plan_cache_import(path) bind(c, name="wlstm_plan_cache_import")
            import
            character(kind=c_char), intent(in) :: path(*)
            integer(c_int) :: c_plan_cache_import
        end function
        function c_plan_cache_export_text(text, capacity, bytes) bind(c, name="wlstm_plan_cache_export_text")
            import
            character(kind=c_char), intent(out) :: text(*)
            integer(c_size_t), value :: capacity
            integer(c_size_t), intent(out) :: bytes
            integer(c_int) :: c_plan_cache_export_text
        end function
        function c_plan_cache_import_text(text, bytes) bind(c, name="wlstm_plan_cache_import_text")
            import
            character(kind=c_char), intent(in) :: text(*)
            integer(c_size_t), value :: bytes
            integer(c_int) :: c_plan_cache_import_text
        end function
        function c_plan_cache_forget(problem) bind(c, name="wlstm_plan_cache_forget")
            import
            type(c_ptr), value :: problem
            integer(c_int) :: c_plan_cache_forget
        end function
        function c_version() bind(c, name="wlstm_version")
            import
            type(c_ptr) :: c_version
        end function
        function c_build_info() bind(c, name="wlstm_build_info")
            import
            type(c_ptr) :: c_build_info
        end function
        function c_set_allocator(allocate, deallocate, context) bind(c, name="wlstm_set_allocator")
            import
            type(c_funptr), value :: allocate
            type(c_funptr), value :: deallocate
            type(c_ptr), value :: context
            integer(c_int) :: c_set_allocator
        end function
    end interface
end module wavelstm_c
