! Of module wavelstm: nn.LSTM and plans.
module wavelstm_lstm
    use, intrinsic :: iso_c_binding
    use, intrinsic :: iso_fortran_env, only: int64, real32, real64
    use wavelstm_c
    use wavelstm_cell, only: wlstm_cell
    use wavelstm_common, only: array, expect, expect_dtype, finish, from_c, get_info, load_options, refuse, to_c, &
        view_f32, view_f64, view_lengths
    implicit none
    private
    public :: wlstm_lstm, wlstm_plan

    ! The elements that an lstm's arrays have: x and out a step and row, h and c a row.
    type :: widths
        integer(int64) :: x = 0, out = 0, h = 0, c = 0
        logical :: batch_first = .false.
        integer :: dtype = WLSTM_F32
    end type

    ! nn.LSTM in eval mode
    type :: wlstm_lstm
        private
        type(c_ptr) :: handle = c_null_ptr
        type(widths) :: widths
    contains
        procedure :: create => lstm_create                       ! (input_size, hidden_size, ...) with nn.LSTM's arguments
        procedure :: create_from_cells => lstm_create_from_cells ! (cells)
        procedure :: load => lstm_load                           ! (path, prefix, batch_first, dtype)
        procedure :: save => lstm_save                           ! (path, prefix)
        procedure :: free => lstm_free
        procedure :: get_config => lstm_get_config               ! (input_size, hidden_size, ...), those wanted
        procedure :: reset_parameters => lstm_reset_parameters   ! (seed)
        procedure :: num_parameters => lstm_num_parameters
        procedure :: parameter_info => lstm_parameter_info       ! (index from 1, name, shape): weight_ih_l0 (I, 4H)
        generic :: set_parameter => lstm_set_parameter_f32, lstm_set_parameter_f64 ! (name, values)
        generic :: get_parameter => lstm_get_parameter_f32, lstm_get_parameter_f64 ! (name, values)
        ! (x, out, h, c, lengths): x(I,B,T), out(D*R,B,T), h(R,B,D*L), c(H,B,D*L), lengths(B); batch_first: x(I,T,B),
        ! out(D*R,T,B). h and c may have any rank: those of a stack of unlike cells are the layers' blocks in a row.
        ! Without a batch: (x, out, h, c) with x(I,T), out(D*R,T).
        generic :: forward => lstm_forward_f32, lstm_forward_f64, lstm_forward_row_f32, lstm_forward_row_f64
        procedure, private :: lstm_set_parameter_f32, lstm_set_parameter_f64, lstm_get_parameter_f32, lstm_get_parameter_f64
        procedure, private :: lstm_forward_f32, lstm_forward_f64, lstm_forward_row_f32, lstm_forward_row_f64, lstm_copy
        generic :: assignment(=) => lstm_copy
        final :: lstm_finalize
    end type

    ! The chosen way to run one lstm, which it may outlive. Used by one thread at a time.
    type :: wlstm_plan
        private
        type(c_ptr) :: handle = c_null_ptr
        type(widths) :: widths
    contains
        procedure :: create => plan_create     ! (lstm, max_seq_len, max_batch, num_threads, backend, effort, ...)
        procedure :: describe => plan_describe ! one line for people
        procedure :: memory => plan_memory     ! (weight_bytes, scratch_bytes)
        procedure :: free => plan_free
        ! As an lstm's forward.
        generic :: execute => plan_execute_f32, plan_execute_f64, plan_execute_row_f32, plan_execute_row_f64
        procedure, private :: plan_execute_f32, plan_execute_f64, plan_execute_row_f32, plan_execute_row_f64, plan_copy
        generic :: assignment(=) => plan_copy
        final :: plan_finalize
    end type

contains

    subroutine lstm_create(self, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, &
            dtype, stat)
        class(wlstm_lstm), intent(inout) :: self
        integer, intent(in) :: input_size, hidden_size
        integer, intent(in), optional :: num_layers, proj_size, dtype
        logical, intent(in), optional :: bias, batch_first, bidirectional
        real(real64), intent(in), optional :: dropout
        integer, intent(out), optional :: stat
        type(wlstm_lstm_config) :: config
        integer(c_int) :: status
        config%struct_size = c_sizeof(config)
        config%input_size = input_size
        config%hidden_size = hidden_size
        if (present(num_layers)) config%num_layers = num_layers
        if (present(proj_size)) config%proj_size = proj_size
        if (present(dropout)) config%dropout = dropout
        if (present(bias)) config%bias = merge(1, 0, bias)
        if (present(batch_first)) config%batch_first = merge(1, 0, batch_first)
        if (present(bidirectional)) config%bidirectional = merge(1, 0, bidirectional)
        if (present(dtype)) config%dtype = int(dtype, c_int)
        call self%free()
        status = c_lstm_create(config, self%handle)
        call lstm_ready(self, status, stat)
    end subroutine

    subroutine lstm_create_from_cells(self, cells, stat)
        class(wlstm_lstm), intent(inout) :: self
        type(wlstm_cell), intent(in) :: cells(:)
        integer, intent(out), optional :: stat
        type(c_ptr) :: handles(size(cells))
        integer(c_int) :: status
        integer :: i
        do i = 1, size(cells)
            handles(i) = cells(i)%c_handle()
        end do
        call self%free()
        status = c_lstm_create_from_cells(handles, size(cells, kind=c_int64_t), self%handle)
        call lstm_ready(self, status, stat)
    end subroutine

    ! dtype: to convert the file's parameters to.
    subroutine lstm_load(self, path, prefix, batch_first, dtype, stat)
        class(wlstm_lstm), intent(inout) :: self
        character(len=*), intent(in) :: path
        character(len=*), intent(in), optional :: prefix
        logical, intent(in), optional :: batch_first
        integer, intent(in), optional :: dtype
        integer, intent(out), optional :: stat
        character(len=:, kind=c_char), allocatable, target :: c_prefix
        type(wlstm_load_options) :: options
        integer(c_int) :: status
        c_prefix = to_c(prefix)
        options = load_options(c_loc(c_prefix), dtype)
        if (present(batch_first)) options%batch_first = merge(1, 0, batch_first)
        call self%free()
        status = c_lstm_load(to_c(path), options, self%handle)
        call lstm_ready(self, status, stat)
    end subroutine

    ! After a handle was made: the widths of the arrays. The layers of a stack of unlike cells differ, so their own
    ! weight_hh [4H, R] are asked.
    subroutine lstm_ready(self, status, stat)
        type(wlstm_lstm), intent(inout) :: self
        integer(c_int), intent(in) :: status
        integer, intent(out), optional :: stat
        type(wlstm_lstm_config) :: config
        character(len=:), allocatable :: name
        integer, allocatable :: shape(:)
        integer :: i, found
        if (status == WLSTM_OK) then
            config%struct_size = c_sizeof(config)
            found = int(c_lstm_get_config(self%handle, config))
            self%widths = widths(config%input_size, merge(config%proj_size, config%hidden_size, config%proj_size > 0), &
                                 0, 0, config%batch_first /= 0, int(config%dtype))
            if (config%bidirectional /= 0) self%widths%out = 2 * self%widths%out
            do i = 1, self%num_parameters()
                call self%parameter_info(i, name, shape)
                if (index(name, "weight_hh") /= 1) cycle
                self%widths%h = self%widths%h + shape(1)
                self%widths%c = self%widths%c + shape(2) / 4
            end do
        end if
        call finish(status, stat)
    end subroutine

    subroutine lstm_save(self, path, prefix, stat)
        class(wlstm_lstm), intent(in) :: self
        character(len=*), intent(in) :: path
        character(len=*), intent(in), optional :: prefix
        integer, intent(out), optional :: stat
        call finish(c_lstm_save(self%handle, to_c(path), to_c(prefix)), stat)
    end subroutine

    subroutine lstm_free(self)
        class(wlstm_lstm), intent(inout) :: self
        call c_lstm_free(self%handle)
        self%handle = c_null_ptr
        self%widths = widths()
    end subroutine

    impure elemental subroutine lstm_finalize(self)
        type(wlstm_lstm), intent(inout) :: self
        call self%free()
    end subroutine

    subroutine lstm_copy(to, from)
        class(wlstm_lstm), intent(inout) :: to
        type(wlstm_lstm), intent(in) :: from
        if (.not. c_associated(to%handle, from%handle)) error stop "wavelstm: an lstm cannot be copied"
    end subroutine

    subroutine lstm_get_config(self, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, &
            dtype, stat)
        class(wlstm_lstm), intent(in) :: self
        integer, intent(out), optional :: input_size, hidden_size, num_layers, proj_size, dtype
        logical, intent(out), optional :: bias, batch_first, bidirectional
        real(real64), intent(out), optional :: dropout
        integer, intent(out), optional :: stat
        type(wlstm_lstm_config) :: config
        integer(c_int) :: status
        config%struct_size = c_sizeof(config)
        status = c_lstm_get_config(self%handle, config)
        if (present(input_size)) input_size = int(config%input_size)
        if (present(hidden_size)) hidden_size = int(config%hidden_size)
        if (present(num_layers)) num_layers = int(config%num_layers)
        if (present(proj_size)) proj_size = int(config%proj_size)
        if (present(dtype)) dtype = int(config%dtype)
        if (present(bias)) bias = config%bias /= 0
        if (present(batch_first)) batch_first = config%batch_first /= 0
        if (present(bidirectional)) bidirectional = config%bidirectional /= 0
        if (present(dropout)) dropout = config%dropout
        call finish(status, stat)
    end subroutine

    subroutine lstm_reset_parameters(self, seed, stat)
        class(wlstm_lstm), intent(inout) :: self
        integer(int64), intent(in) :: seed
        integer, intent(out), optional :: stat
        call finish(c_lstm_reset_parameters(self%handle, seed), stat)
    end subroutine

    integer function lstm_num_parameters(self) result(count)
        class(wlstm_lstm), intent(in) :: self
        count = int(c_lstm_num_parameters(self%handle))
    end function

    subroutine lstm_parameter_info(self, index, name, shape, stat)
        class(wlstm_lstm), intent(in) :: self
        integer, intent(in) :: index
        character(len=:), allocatable, intent(out) :: name
        integer, allocatable, intent(out) :: shape(:)
        integer, intent(out), optional :: stat
        call get_info(c_lstm_parameter_info, self%handle, index, name, shape, stat)
    end subroutine

    subroutine lstm_set(self, name, values, stat)
        class(wlstm_lstm), intent(inout) :: self
        character(len=*), intent(in) :: name
        type(array), intent(in) :: values
        integer, intent(out), optional :: stat
        character(len=:), allocatable :: message
        message = ""
        call expect_dtype(message, "values", self%widths%dtype, values%dtype)
        if (message /= "") then
            call refuse(message, stat)
        else
            call finish(c_lstm_set_parameter(self%handle, to_c(name), values%at, values%size), stat)
        end if
    end subroutine

    subroutine lstm_get(self, name, values, stat)
        class(wlstm_lstm), intent(in) :: self
        character(len=*), intent(in) :: name
        type(array), intent(in) :: values
        integer, intent(out), optional :: stat
        character(len=:), allocatable :: message
        message = ""
        call expect_dtype(message, "values", self%widths%dtype, values%dtype)
        if (message /= "") then
            call refuse(message, stat)
        else
            call finish(c_lstm_get_parameter(self%handle, to_c(name), values%at, values%size), stat)
        end if
    end subroutine

    ! x(I,T) without a batch is batch_first's x(I,T,1).
    pure function of_a_row(w) result(row)
        type(widths), intent(in) :: w
        type(widths) :: row
        row = w
        row%batch_first = .true.
    end function

    ! c_forward or c_plan_execute, on arrays that fit.
    subroutine run(forward, handle, w, x, x_shape, out, out_shape, h, c, lengths, stat)
        procedure(c_forward) :: forward
        type(c_ptr), intent(in) :: handle
        type(widths), intent(in) :: w
        type(array), intent(in) :: x, out, h, c, lengths
        integer(int64), intent(in) :: x_shape(3), out_shape(3)
        integer, intent(out), optional :: stat
        integer(int64) :: batch, seq_len
        character(len=:), allocatable :: message
        batch = merge(x_shape(3), x_shape(2), w%batch_first)
        seq_len = merge(x_shape(2), x_shape(3), w%batch_first)
        message = ""
        call expect_dtype(message, "x", w%dtype, x%dtype)
        call expect(message, "x: dimension 1", w%x, x_shape(1))
        call expect(message, "out: dimension 1", w%out, out_shape(1))
        call expect(message, "out: dimension 2", x_shape(2), out_shape(2))
        call expect(message, "out: dimension 3", x_shape(3), out_shape(3))
        if (c_associated(h%at)) call expect(message, "h: size", w%h * batch, h%size)
        if (c_associated(c%at)) call expect(message, "c: size", w%c * batch, c%size)
        if (c_associated(lengths%at)) call expect(message, "lengths: size", batch, lengths%size)
        if (message /= "" .and. c_associated(handle)) then ! C has the word on a handle that is not there
            call refuse(message, stat)
        else
            call finish(forward(handle, seq_len, batch, lengths%at, x%at, h%at, c%at, out%at, h%at, c%at), stat)
        end if
    end subroutine

    subroutine plan_create(self, lstm, max_seq_len, max_batch, num_threads, backend, effort, time_limit, deterministic, stat)
        class(wlstm_plan), intent(inout) :: self
        class(wlstm_lstm), intent(in) :: lstm
        integer, intent(in) :: max_seq_len, max_batch
        integer, intent(in), optional :: num_threads, backend, effort
        real(real64), intent(in), optional :: time_limit
        logical, intent(in), optional :: deterministic
        integer, intent(out), optional :: stat
        type(wlstm_plan_options) :: options
        options%struct_size = c_sizeof(options)
        options%max_seq_len = max_seq_len
        options%max_batch = max_batch
        if (present(num_threads)) options%num_threads = int(num_threads, c_int)
        if (present(backend)) options%backend = int(backend, c_int)
        if (present(effort)) options%effort = int(effort, c_int)
        if (present(time_limit)) options%time_limit = time_limit
        if (present(deterministic)) options%deterministic = merge(1, 0, deterministic)
        call self%free()
        self%widths = lstm%widths
        call finish(c_plan_create(lstm%handle, options, self%handle), stat)
    end subroutine

    function plan_describe(self) result(text)
        class(wlstm_plan), intent(in) :: self
        character(len=:), allocatable :: text
        text = from_c(c_plan_describe(self%handle))
    end function

    subroutine plan_memory(self, weight_bytes, scratch_bytes, stat)
        class(wlstm_plan), intent(in) :: self
        integer(int64), intent(out) :: weight_bytes, scratch_bytes
        integer, intent(out), optional :: stat
        integer(c_size_t) :: weights, scratch
        integer(c_int) :: status
        weights = 0
        scratch = 0
        status = c_plan_memory(self%handle, weights, scratch)
        weight_bytes = int(weights, int64)
        scratch_bytes = int(scratch, int64)
        call finish(status, stat)
    end subroutine

    subroutine plan_free(self)
        class(wlstm_plan), intent(inout) :: self
        call c_plan_free(self%handle)
        self%handle = c_null_ptr
    end subroutine

    impure elemental subroutine plan_finalize(self)
        type(wlstm_plan), intent(inout) :: self
        call self%free()
    end subroutine

    subroutine plan_copy(to, from)
        class(wlstm_plan), intent(inout) :: to
        type(wlstm_plan), intent(in) :: from
        if (.not. c_associated(to%handle, from%handle)) error stop "wavelstm: a plan cannot be copied"
    end subroutine

    subroutine lstm_set_parameter_f32(self, name, values, stat)
        class(wlstm_lstm), intent(inout) :: self
        character(len=*), intent(in) :: name
        real(real32), intent(in), contiguous, target :: values(..)
        integer, intent(out), optional :: stat
        call lstm_set(self, name, view_f32(values), stat)
    end subroutine

    subroutine lstm_get_parameter_f32(self, name, values, stat)
        class(wlstm_lstm), intent(in) :: self
        character(len=*), intent(in) :: name
        real(real32), intent(inout), contiguous, target :: values(..)
        integer, intent(out), optional :: stat
        call lstm_get(self, name, view_f32(values), stat)
    end subroutine

    subroutine lstm_forward_f32(self, x, out, h, c, lengths, stat)
        class(wlstm_lstm), intent(inout) :: self
        real(real32), intent(in), contiguous, target :: x(:,:,:)
        real(real32), intent(inout), contiguous, target :: out(:,:,:)
        real(real32), intent(inout), contiguous, target, optional :: h(..), c(..)
        integer(int64), intent(in), contiguous, target, optional :: lengths(:)
        integer, intent(out), optional :: stat
        type(array) :: rows
        if (present(lengths)) rows = view_lengths(lengths) ! gfortran 12 reads an absent one's bounds to hand it on
        call run(c_forward, self%handle, self%widths, view_f32(x), shape(x, int64), view_f32(out), shape(out, int64), &
                 view_f32(h), view_f32(c), rows, stat)
    end subroutine

    subroutine lstm_forward_row_f32(self, x, out, h, c, stat)
        class(wlstm_lstm), intent(inout) :: self
        real(real32), intent(in), contiguous, target :: x(:,:)
        real(real32), intent(inout), contiguous, target :: out(:,:)
        real(real32), intent(inout), contiguous, target, optional :: h(..), c(..)
        integer, intent(out), optional :: stat
        call run(c_forward, self%handle, of_a_row(self%widths), view_f32(x), [shape(x, int64), 1_int64], view_f32(out), &
                 [shape(out, int64), 1_int64], view_f32(h), view_f32(c), array(), stat)
    end subroutine

    subroutine plan_execute_f32(self, x, out, h, c, lengths, stat)
        class(wlstm_plan), intent(inout) :: self
        real(real32), intent(in), contiguous, target :: x(:,:,:)
        real(real32), intent(inout), contiguous, target :: out(:,:,:)
        real(real32), intent(inout), contiguous, target, optional :: h(..), c(..)
        integer(int64), intent(in), contiguous, target, optional :: lengths(:)
        integer, intent(out), optional :: stat
        type(array) :: rows
        if (present(lengths)) rows = view_lengths(lengths) ! gfortran 12 reads an absent one's bounds to hand it on
        call run(c_plan_execute, self%handle, self%widths, view_f32(x), shape(x, int64), view_f32(out), shape(out, int64), &
                 view_f32(h), view_f32(c), rows, stat)
    end subroutine

    subroutine plan_execute_row_f32(self, x, out, h, c, stat)
        class(wlstm_plan), intent(inout) :: self
        real(real32), intent(in), contiguous, target :: x(:,:)
        real(real32), intent(inout), contiguous, target :: out(:,:)
        real(real32), intent(inout), contiguous, target, optional :: h(..), c(..)
        integer, intent(out), optional :: stat
        call run(c_plan_execute, self%handle, of_a_row(self%widths), view_f32(x), [shape(x, int64), 1_int64], view_f32(out), &
                 [shape(out, int64), 1_int64], view_f32(h), view_f32(c), array(), stat)
    end subroutine

    subroutine lstm_set_parameter_f64(self, name, values, stat)
        class(wlstm_lstm), intent(inout) :: self
        character(len=*), intent(in) :: name
        real(real64), intent(in), contiguous, target :: values(..)
        integer, intent(out), optional :: stat
        call lstm_set(self, name, view_f64(values), stat)
    end subroutine

    subroutine lstm_get_parameter_f64(self, name, values, stat)
        class(wlstm_lstm), intent(in) :: self
        character(len=*), intent(in) :: name
        real(real64), intent(inout), contiguous, target :: values(..)
        integer, intent(out), optional :: stat
        call lstm_get(self, name, view_f64(values), stat)
    end subroutine

    subroutine lstm_forward_f64(self, x, out, h, c, lengths, stat)
        class(wlstm_lstm), intent(inout) :: self
        real(real64), intent(in), contiguous, target :: x(:,:,:)
        real(real64), intent(inout), contiguous, target :: out(:,:,:)
        real(real64), intent(inout), contiguous, target, optional :: h(..), c(..)
        integer(int64), intent(in), contiguous, target, optional :: lengths(:)
        integer, intent(out), optional :: stat
        type(array) :: rows
        if (present(lengths)) rows = view_lengths(lengths) ! gfortran 12 reads an absent one's bounds to hand it on
        call run(c_forward, self%handle, self%widths, view_f64(x), shape(x, int64), view_f64(out), shape(out, int64), &
                 view_f64(h), view_f64(c), rows, stat)
    end subroutine

    subroutine lstm_forward_row_f64(self, x, out, h, c, stat)
        class(wlstm_lstm), intent(inout) :: self
        real(real64), intent(in), contiguous, target :: x(:,:)
        real(real64), intent(inout), contiguous, target :: out(:,:)
        real(real64), intent(inout), contiguous, target, optional :: h(..), c(..)
        integer, intent(out), optional :: stat
        call run(c_forward, self%handle, of_a_row(self%widths), view_f64(x), [shape(x, int64), 1_int64], view_f64(out), &
                 [shape(out, int64), 1_int64], view_f64(h), view_f64(c), array(), stat)
    end subroutine

    subroutine plan_execute_f64(self, x, out, h, c, lengths, stat)
        class(wlstm_plan), intent(inout) :: self
        real(real64), intent(in), contiguous, target :: x(:,:,:)
        real(real64), intent(inout), contiguous, target :: out(:,:,:)
        real(real64), intent(inout), contiguous, target, optional :: h(..), c(..)
        integer(int64), intent(in), contiguous, target, optional :: lengths(:)
        integer, intent(out), optional :: stat
        type(array) :: rows
        if (present(lengths)) rows = view_lengths(lengths) ! gfortran 12 reads an absent one's bounds to hand it on
        call run(c_plan_execute, self%handle, self%widths, view_f64(x), shape(x, int64), view_f64(out), shape(out, int64), &
                 view_f64(h), view_f64(c), rows, stat)
    end subroutine

    subroutine plan_execute_row_f64(self, x, out, h, c, stat)
        class(wlstm_plan), intent(inout) :: self
        real(real64), intent(in), contiguous, target :: x(:,:)
        real(real64), intent(inout), contiguous, target :: out(:,:)
        real(real64), intent(inout), contiguous, target, optional :: h(..), c(..)
        integer, intent(out), optional :: stat
        call run(c_plan_execute, self%handle, of_a_row(self%widths), view_f64(x), [shape(x, int64), 1_int64], view_f64(out), &
                 [shape(out, int64), 1_int64], view_f64(h), view_f64(c), array(), stat)
    end subroutine
end module wavelstm_lstm
