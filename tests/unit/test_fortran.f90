! Module wavelstm: each procedure reaches its C function with the right arguments, wrong arrays are refused, and all is freed.
!     test_fortran SCRATCH-FOLDER   or   test_fortran stop|copy: what must end the program
module gradients_watcher
    use, intrinsic :: iso_c_binding
    implicit none
contains
    ! context: how many there were.
    subroutine count_gradients(context, dtype, values, count) bind(c)
        type(c_ptr), value :: context, values
        integer(c_int), value :: dtype
        integer(c_int64_t), value :: count
        integer(c_int64_t), pointer :: told
        call c_f_pointer(context, told)
        if (c_associated(values) .and. dtype >= 0) told = told + count
    end subroutine
end module

program test_fortran
    use, intrinsic :: iso_c_binding, only: c_funloc, c_funptr, c_int64_t, c_loc, c_null_funptr, c_null_ptr
    use, intrinsic :: iso_fortran_env, only: error_unit, int8, int64, real32, real64
    use wavelstm
    use gradients_watcher, only: count_gradients
    implicit none
    integer, parameter :: nt = 4, nb = 3, ni = 5, nh = 7, np = 3, nl = 2
    character(len=512) :: argument
    integer :: stat

    call get_command_argument(1, argument)
    if (argument == "stop" .or. argument == "copy") call must_stop()
    call test_lstm_f32()
    call test_lstm_f64()
    call test_sections()
    call test_cells()
    call test_without_batch()
    call test_packed_f32()
    call test_packed_f64()
    call test_trainer_f32()
    call test_trainer_f64()
    call test_precision()
    call test_compact()
    call test_streams()
    call test_streams_batch_first()
    call test_layers()
    call test_cache_text()
    call test_bfloat16()
    call test_tensors()
    call test_errors()
    call require(index(wlstm_build_info(), wlstm_version()) > 0, "version")
    call require(wlstm_status_string(WLSTM_ERROR_FILE) /= wlstm_status_string(WLSTM_OK), "status_string")
    ! Refused while any of the library's memory is in use: the finalizers have freed it.
    call wlstm_set_allocator(c_null_funptr, c_null_funptr, c_null_ptr, stat)
    call require(stat == WLSTM_OK, "all memory freed: " // wlstm_last_error())
    print '(a)', "test_fortran: passed"

contains

    subroutine require(holds, what)
        logical, intent(in) :: holds
        character(len=*), intent(in) :: what
        if (holds) return
        write(error_unit, '(2a)') "test_fortran: ", what
        error stop 1
    end subroutine

    ! The status and the end of the message of what was just refused.
    subroutine require_refused(status, expected, message)
        integer, intent(in) :: status, expected
        character(len=*), intent(in) :: message
        call require(status == expected, message // ": another status")
        call require(index(wlstm_last_error(), message) > 0, message // " expected, got " // wlstm_last_error())
    end subroutine

    ! Without stat, a failure stops; so does a copy, which would be freed twice.
    subroutine must_stop()
        type(wlstm_lstm) :: one, other
        if (argument == "stop") call one%create(input_size=0, hidden_size=4)
        call one%create(input_size=1, hidden_size=4)
        other = one
    end subroutine

    ! Two halves of the sequence by a plan are the whole by the lstm; the parameters travel by file.
    subroutine test_lstm_f32()
        type(wlstm_lstm) :: first, second
        type(wlstm_plan) :: plan
        real(real32) :: x(ni, nb, nt), out(np, nb, nt), halves(np, nb, nt)
        real(real32) :: h(np, nb, nl), c(nh, nb, nl), h_n(np, nb, nl), c_n(nh, nb, nl)
        integer :: k, input_size, num_layers, proj_size, dtype
        integer(int64) :: weights, scratch
        logical :: bias
        character(len=:), allocatable :: path
        path = trim(argument) // "/fortran.safetensors"
        x = reshape([(sin(real(k)), k = 1, size(x))], shape(x))
        call first%create(ni, nh, num_layers=nl, proj_size=np, dropout=0.5_real64, bias=.false.)
        call first%reset_parameters(42_int64)
        call first%get_config(input_size=input_size, num_layers=num_layers, proj_size=proj_size, bias=bias, dtype=dtype)
        call require(all([input_size, num_layers, proj_size, dtype] == [ni, nl, np, WLSTM_F32]) .and. .not. bias, "get_config")
        call first%save(path, prefix="encoder.")
        call second%load(path, prefix="encoder.")
        call execute_command_line("rm " // path)

        h_n = 0
        c_n = 0
        call first%forward(x, out, h_n, c_n)
        call plan%create(second, max_seq_len=nt, max_batch=nb, num_threads=1, backend=WLSTM_BACKEND_NATIVE, &
                         effort=WLSTM_EFFORT_ESTIMATE, time_limit=1.0_real64, deterministic=.true., &
                         schedule=WLSTM_SCHEDULE_SERIAL, precision=WLSTM_PRECISION_FULL, chunk_steps=2)
        call second%free() ! the plan keeps what it needs
        h = 0
        c = 0
        call plan%execute(x(:, :, :nt / 2), halves(:, :, :nt / 2), h, c)
        call plan%execute(x(:, :, nt / 2 + 1:), halves(:, :, nt / 2 + 1:), h, c)
        call require(maxval(abs(out - halves)) < 1e-6 .and. maxval(abs(out)) > 0, "halves")
        call require(maxval(abs(h - h_n)) < 1e-6 .and. maxval(abs(c - c_n)) < 1e-6, "states")
        call require(all(abs(h_n(:, :, nl) - out(:, :, nt)) <= 0), "h_n is the last layer's last out")
        call require(index(plan%describe(), "t4b3i5h7l2p3-nobias: ") == 1, plan%describe())
        call plan%memory(weights, scratch)
        call require(weights > 0 .and. scratch > 0, "memory")
    end subroutine

    ! batch_first and bidirectional, ragged; the parameters travel by name.
    subroutine test_lstm_f64()
        type(wlstm_lstm) :: first, second
        real(real64) :: x(ni, nt, nb), out(2 * nh, nt, nb), again(2 * nh, nt, nb), row(2 * nh, 2, 1)
        real(real64), allocatable :: values(:)
        integer(int64), parameter :: lengths(nb) = [4_int64, 2_int64, 1_int64]
        integer, allocatable :: sizes(:)
        character(len=:), allocatable :: name
        integer :: k
        x = reshape([(sin(real(k, real64)), k = 1, size(x))], shape(x))
        call first%create(ni, nh, bidirectional=.true., batch_first=.true., dtype=WLSTM_F64)
        call second%create(ni, nh, bidirectional=.true., batch_first=.true., dtype=WLSTM_F64)
        call second%reset_parameters(1_int64)
        call require(first%num_parameters() == 8, "num_parameters")
        do k = 1, 8
            call first%parameter_info(k, name, sizes)
            allocate(values(product(sizes)))
            call first%get_parameter(name, values)
            call second%set_parameter(name, values)
            deallocate(values)
        end do
        call require(name == "bias_hh_l0_reverse" .and. all(sizes == [4 * nh]), "parameter_info: " // name)
        call first%parameter_info(1, name, sizes)
        call require(name == "weight_ih_l0" .and. all(sizes == [ni, 4 * nh]), "parameter_info: " // name)

        call first%forward(x, out, lengths=lengths)
        call second%forward(x, again, lengths=lengths)
        call require(all(abs(out - again) < 1e-14_real64), "parameters copied")
        call require(all(abs(out(:, 3:, 2)) <= 0) .and. all(abs(out(:, 2, 2)) > 0), "zero past a row's end")
        call first%forward(x(:, :2, 2:2), row)
        call require(maxval(abs(row(:, :, 1) - out(:, :2, 2))) < 1e-14_real64, "a row as if alone")
    end subroutine

    ! Of strided sections the compiler makes copies, both ways.
    subroutine test_sections()
        type(wlstm_lstm) :: lstm
        real(real32) :: x(ni, nb, nt), out(nh, nb, nt), wide_x(ni, 2 * nb, nt), wide_out(2 * nh, nb, nt)
        integer :: k
        wide_x = reshape([(sin(real(k)), k = 1, size(wide_x))], shape(wide_x))
        wide_out = 9
        x = wide_x(:, ::2, :)
        call lstm%create(ni, nh)
        call lstm%forward(x, out)
        call lstm%forward(wide_x(:, ::2, :), wide_out(:nh, :, :))
        call require(all(abs(wide_out(:nh, :, :) - out) <= 0) .and. all(abs(wide_out(nh + 1:, :, :) - 9) <= 0), "sections")
    end subroutine

    ! Unlike cells in a loop, one of them from its file, and as one lstm, whose h and c are the layers' blocks in a row.
    subroutine test_cells()
        type(wlstm_cell) :: cells(2), made
        type(wlstm_lstm) :: stack
        real(real32) :: x(ni, nb, nt), out(2, nb, nt), loop_out(2, nb, nt), h1(nh, nb), c1(nh, nb), h2(2, nb), c2(2, nb)
        real(real32) :: h(nb * (nh + 2)), c(nb * (nh + 2))
        integer :: k, hidden_size
        character(len=:), allocatable :: path
        path = trim(argument) // "/fortran_cell.safetensors"
        x = reshape([(sin(real(k)), k = 1, size(x))], shape(x))
        call cells(1)%create(ni, nh)
        call made%create(nh, 2)
        call made%reset_parameters(7_int64)
        call made%save(path)
        call cells(2)%load(path)
        call execute_command_line("rm " // path)
        call cells(2)%get_config(hidden_size=hidden_size)
        call require(hidden_size == 2, "cell's get_config")
        call require(cells(2)%num_parameters() == 4, "cell's num_parameters")

        h1 = 0
        c1 = 0
        h2 = 0
        c2 = 0
        do k = 1, nt
            call cells(1)%forward(x(:, :, k), h1, c1)
            call cells(2)%forward(h1, h2, c2)
            loop_out(:, :, k) = h2
        end do
        call stack%create_from_cells(cells)
        h = 0
        c = 0
        call stack%forward(x, out, h, c)
        call require(maxval(abs(out - loop_out)) < 1e-6, "a stack of cells")
        call require(maxval(abs(h - [h1, h2])) < 1e-6 .and. maxval(abs(c - [c1, c2])) < 1e-6, "a stack's states")
    end subroutine

    ! Rows without padding are those with it; what they come to by a plan and a trainer, back too.
    subroutine test_packed_f32()
        type(wlstm_lstm) :: lstm
        type(wlstm_plan) :: plan
        type(wlstm_trainer) :: trainer
        integer(int64), parameter :: batch_sizes(nt) = [3_int64, 2_int64, 1_int64, 1_int64]
        integer, parameter :: n = 7
        real(real32), target :: packed_x(ni, n), packed(2 * nh, n)
        real(real32) :: x(ni, nb, nt), out(2 * nh, nb, nt), expected(2 * nh, n), again(2 * nh, n), d_x(ni, n)
        real(real32) :: h(nh, nb, 2 * nl), c(nh, nb, 2 * nl)
        integer(int8), allocatable, target :: tape(:)
        integer(int64) :: bytes
        integer :: t, b, k
        x = reshape([(sin(real(k, real32)), k = 1, size(x))], shape(x))
        call lstm%create(ni, nh, num_layers=nl, bidirectional=.true., dropout=0.5_real64, dtype=WLSTM_F32)
        call lstm%forward(x, out, lengths=[4_int64, 2_int64, 1_int64])
        k = 0
        do t = 1, nt
            do b = 1, int(batch_sizes(t))
                k = k + 1
                packed_x(:, k) = x(:, b, t)
                expected(:, k) = out(:, b, t)
            end do
        end do
        h = 0
        c = 0
        call lstm%forward_packed(batch_sizes, packed_x, packed, h, c)
        call require(maxval(abs(packed - expected)) < 1e-5_real32, "packed rows are the padded ones")
        call require(maxval(abs(h(:, 1, 2 * nl - 1) - packed(:nh, n))) <= 0, "h_n is the longest row's last out")
        call plan%create(lstm, max_seq_len=nt, max_batch=nb)
        call plan%execute_packed(batch_sizes, packed_x, again)
        call require(maxval(abs(again - expected)) < 1e-5_real32, "packed rows by a plan")
        call trainer%create(lstm, max_seq_len=nt, max_batch=nb)
        call trainer%tape_bytes(nt, nb, bytes)
        allocate(tape(bytes))
        h = 0
        call trainer%forward_packed(batch_sizes, packed_x, packed, h, training=.false., seed=1_int64, first_row=2_int64, &
                                    tape=tape)
        call require(maxval(abs(packed - expected)) < 1e-5_real32, "packed rows by a trainer")
        d_x = 0
        call trainer%backward(packed, d_x, tape=tape)
        call require(maxval(abs(d_x(:, n))) > 0, "gradients of packed rows")
        call trainer%forward_packed(batch_sizes, packed_x, packed, tape=tape(2:), stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "tape: size:")
        call trainer%forward_packed(batch_sizes, packed_x(:, 2:), packed, stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "x: dimension 2: 7 expected, got 6")
        call lstm%forward_packed(batch_sizes, packed_x, packed(:, 2:), stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "out: dimension 2: 7 expected, got 6")
        call lstm%forward_packed([1_int64, 2_int64], packed_x(:, :3), packed(:, :3), stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "batch_sizes[1]: at most the 1 rows")
    end subroutine

    subroutine test_packed_f64()
        type(wlstm_lstm) :: lstm
        type(wlstm_plan) :: plan
        type(wlstm_trainer) :: trainer
        integer(int64), parameter :: batch_sizes(nt) = [3_int64, 2_int64, 1_int64, 1_int64]
        integer, parameter :: n = 7
        real(real64), target :: packed_x(ni, n), packed(2 * nh, n)
        real(real64) :: x(ni, nb, nt), out(2 * nh, nb, nt), expected(2 * nh, n), again(2 * nh, n), d_x(ni, n)
        real(real64) :: h(nh, nb, 2 * nl), c(nh, nb, 2 * nl)
        integer(int8), allocatable, target :: tape(:)
        integer(int64) :: bytes
        integer :: t, b, k
        x = reshape([(sin(real(k, real64)), k = 1, size(x))], shape(x))
        call lstm%create(ni, nh, num_layers=nl, bidirectional=.true., dropout=0.5_real64, dtype=WLSTM_F64)
        call lstm%forward(x, out, lengths=[4_int64, 2_int64, 1_int64])
        k = 0
        do t = 1, nt
            do b = 1, int(batch_sizes(t))
                k = k + 1
                packed_x(:, k) = x(:, b, t)
                expected(:, k) = out(:, b, t)
            end do
        end do
        h = 0
        c = 0
        call lstm%forward_packed(batch_sizes, packed_x, packed, h, c)
        call require(maxval(abs(packed - expected)) < 1e-5_real64, "packed rows are the padded ones")
        call require(maxval(abs(h(:, 1, 2 * nl - 1) - packed(:nh, n))) <= 0, "h_n is the longest row's last out")
        call plan%create(lstm, max_seq_len=nt, max_batch=nb)
        call plan%execute_packed(batch_sizes, packed_x, again)
        call require(maxval(abs(again - expected)) < 1e-5_real64, "packed rows by a plan")
        call trainer%create(lstm, max_seq_len=nt, max_batch=nb)
        call trainer%tape_bytes(nt, nb, bytes)
        allocate(tape(bytes))
        h = 0
        call trainer%forward_packed(batch_sizes, packed_x, packed, h, training=.false., seed=1_int64, first_row=2_int64, &
                                    tape=tape)
        call require(maxval(abs(packed - expected)) < 1e-5_real64, "packed rows by a trainer")
        d_x = 0
        call trainer%backward(packed, d_x, tape=tape)
        call require(maxval(abs(d_x(:, n))) > 0, "gradients of packed rows")
        call trainer%forward_packed(batch_sizes, packed_x, packed, tape=tape(2:), stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "tape: size:")
        call trainer%forward_packed(batch_sizes, packed_x(:, 2:), packed, stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "x: dimension 2: 7 expected, got 6")
        call lstm%forward_packed(batch_sizes, packed_x, packed(:, 2:), stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "out: dimension 2: 7 expected, got 6")
        call lstm%forward_packed([1_int64, 2_int64], packed_x(:, :3), packed(:, :3), stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "batch_sizes[1]: at most the 1 rows")
    end subroutine

    ! Forward as the lstm's, back and onto a tape, parameters in one array, by name and by file.
    subroutine test_trainer_f32()
        type(wlstm_lstm) :: lstm
        type(wlstm_trainer) :: trainer, resumed
        real(real32), target :: x(ni, nb, nt), out(2 * nh, nb, nt)
        real(real32) :: expected(2 * nh, nb, nt), d_x(ni, nb, nt), d_h(nh, nb, 2 * nl), d_c(nh, nb, 2 * nl)
        real(real32) :: mask(2 * nh, nb, nt), bias(4 * nh), same(4 * nh)
        real(real32), pointer :: parameters(:), gradients(:)
        real(real32) :: once
        real(real64) :: norm
        integer(int8), allocatable, target :: tape(:)
        integer(int64) :: bytes, tape_bytes
        integer(c_int64_t), target :: told
        type(c_funptr) :: watcher
        integer :: k
        x = reshape([(sin(real(k, real32)), k = 1, size(x))], shape(x))
        call lstm%create(ni, nh, num_layers=nl, bidirectional=.true., dropout=0.5_real64, dtype=WLSTM_F32)
        call trainer%create(lstm, max_seq_len=nt, max_batch=nb, num_threads=1, precision=WLSTM_PRECISION_FULL)
        call resumed%create(lstm, max_seq_len=nt, max_batch=nb, recompute_steps=2, stat=stat)
        call require_refused(stat, WLSTM_ERROR_UNSUPPORTED, "recompute_steps: 0 expected with two directions")
        call lstm%forward(x, expected)
        call trainer%forward(x, out, training=.false.)
        call require(maxval(abs(out - expected)) < 1e-5_real32, "a trainer's forward is the lstm's")
        d_h = 0
        d_c = 0
        call trainer%backward(out, d_x, d_h, d_c)
        call require(maxval(abs(d_x)) > 0 .and. maxval(abs(d_h)) > 0 .and. maxval(abs(d_c)) > 0, "gradients")
        call trainer%gradients(gradients)
        call trainer%parameters(parameters)
        call require(size(gradients) == size(parameters) .and. abs(gradients(1)) > 0, "flat arrays")
        told = 0
        watcher = c_funloc(count_gradients)
        call trainer%watch_gradients(watcher, c_loc(told))
        call trainer%forward(x, out, training=.false.)
        call trainer%backward(out)
        call trainer%watch_gradients()
        call require(told == size(gradients), "watch_gradients")
        once = gradients(1)
        call trainer%tape_bytes(nt, nb, bytes)
        allocate(tape(bytes))
        call trainer%forward(x, out, training=.false., tape=tape)
        call trainer%backward(out, accumulate=.true., tape=tape)
        call require(abs(gradients(1) - once) > 0, "gradients add up")
        call trainer%backward(out, tape=tape, stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "a backward pass has used up")
        call trainer%forward(x, out, tape=tape(2:), stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "tape: size:")
        call trainer%forward(x, out(:nh, :, :), stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "out: dimension 1: 14 expected, got 7")
        call trainer%forward(x, out, seed=7_int64, first_row=2_int64, tape=tape)
        call trainer%dropout_mask(1, mask, tape)
        call require(maxval(abs(mask * (mask - 2))) <= 0 .and. minval(mask) <= 0 .and. maxval(mask) >= 2, "dropout_mask")
        call trainer%clip_gradients(1e-3_real64, norm)
        call require(norm > 1e-3_real64, "clip_gradients")
        call trainer%update(WLSTM_OPTIMIZER_ADAMW, lr=1e-2_real64, beta1=0.8_real64, beta2=0.9_real64, eps=1e-7_real64, &
                            weight_decay=0.1_real64)
        call trainer%update(momentum=0.5_real64, dampening=0.0_real64, nesterov=.true., kind=WLSTM_OPTIMIZER_SGD, stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "kind:")
        call trainer%zero_gradients()
        call require(maxval(abs(gradients)) <= 0, "zero_gradients")
        call trainer%save(trim(argument) // "/trainer_f32.safetensors")
        call resumed%create(lstm, max_seq_len=1, max_batch=1, schedule=9, stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "schedule: a wlstm_schedule expected, got 9")
        call resumed%create(lstm, max_seq_len=1, max_batch=1, effort=9, stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "effort: a wlstm_effort expected, got 9")
        call resumed%create(lstm, max_seq_len=1, max_batch=1, schedule=WLSTM_SCHEDULE_GANGS, effort=WLSTM_EFFORT_MEASURE)
        call resumed%load(trim(argument) // "/trainer_f32.safetensors")
        call trainer%get_parameter("bias_ih_l1", bias)
        call resumed%get_parameter("bias_ih_l1", same)
        call require(maxval(abs(bias - same)) <= 0, "load")
        bias(1) = 3
        call resumed%set_parameter("bias_ih_l1", bias)
        call resumed%copy_to(lstm)
        call lstm%get_parameter("bias_ih_l1", same)
        call require(maxval(abs(bias - same)) <= 0, "copy_to")
        call resumed%memory(bytes, tape_bytes)
        call require(bytes > 0 .and. tape_bytes > 0, "memory")
    end subroutine

    ! Forward as the lstm's, back and onto a tape, parameters in one array, by name and by file.
    subroutine test_trainer_f64()
        type(wlstm_lstm) :: lstm
        type(wlstm_trainer) :: trainer, resumed
        real(real64), target :: x(ni, nb, nt), out(2 * nh, nb, nt)
        real(real64) :: expected(2 * nh, nb, nt), d_x(ni, nb, nt), d_h(nh, nb, 2 * nl), d_c(nh, nb, 2 * nl)
        real(real64) :: mask(2 * nh, nb, nt), bias(4 * nh), same(4 * nh)
        real(real64), pointer :: parameters(:), gradients(:)
        real(real64) :: once
        real(real64) :: norm
        integer(int8), allocatable, target :: tape(:)
        integer(int64) :: bytes, tape_bytes
        integer(c_int64_t), target :: told
        type(c_funptr) :: watcher
        integer :: k
        x = reshape([(sin(real(k, real64)), k = 1, size(x))], shape(x))
        call lstm%create(ni, nh, num_layers=nl, bidirectional=.true., dropout=0.5_real64, dtype=WLSTM_F64)
        call trainer%create(lstm, max_seq_len=nt, max_batch=nb, num_threads=1, precision=WLSTM_PRECISION_FULL)
        call resumed%create(lstm, max_seq_len=nt, max_batch=nb, recompute_steps=2, stat=stat)
        call require_refused(stat, WLSTM_ERROR_UNSUPPORTED, "recompute_steps: 0 expected with two directions")
        call lstm%forward(x, expected)
        call trainer%forward(x, out, training=.false.)
        call require(maxval(abs(out - expected)) < 1e-5_real64, "a trainer's forward is the lstm's")
        d_h = 0
        d_c = 0
        call trainer%backward(out, d_x, d_h, d_c)
        call require(maxval(abs(d_x)) > 0 .and. maxval(abs(d_h)) > 0 .and. maxval(abs(d_c)) > 0, "gradients")
        call trainer%gradients(gradients)
        call trainer%parameters(parameters)
        call require(size(gradients) == size(parameters) .and. abs(gradients(1)) > 0, "flat arrays")
        told = 0
        watcher = c_funloc(count_gradients)
        call trainer%watch_gradients(watcher, c_loc(told))
        call trainer%forward(x, out, training=.false.)
        call trainer%backward(out)
        call trainer%watch_gradients()
        call require(told == size(gradients), "watch_gradients")
        once = gradients(1)
        call trainer%tape_bytes(nt, nb, bytes)
        allocate(tape(bytes))
        call trainer%forward(x, out, training=.false., tape=tape)
        call trainer%backward(out, accumulate=.true., tape=tape)
        call require(abs(gradients(1) - once) > 0, "gradients add up")
        call trainer%backward(out, tape=tape, stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "a backward pass has used up")
        call trainer%forward(x, out, tape=tape(2:), stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "tape: size:")
        call trainer%forward(x, out(:nh, :, :), stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "out: dimension 1: 14 expected, got 7")
        call trainer%forward(x, out, seed=7_int64, first_row=2_int64, tape=tape)
        call trainer%dropout_mask(1, mask, tape)
        call require(maxval(abs(mask * (mask - 2))) <= 0 .and. minval(mask) <= 0 .and. maxval(mask) >= 2, "dropout_mask")
        call trainer%clip_gradients(1e-3_real64, norm)
        call require(norm > 1e-3_real64, "clip_gradients")
        call trainer%update(WLSTM_OPTIMIZER_ADAMW, lr=1e-2_real64, beta1=0.8_real64, beta2=0.9_real64, eps=1e-7_real64, &
                            weight_decay=0.1_real64)
        call trainer%update(momentum=0.5_real64, dampening=0.0_real64, nesterov=.true., kind=WLSTM_OPTIMIZER_SGD, stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "kind:")
        call trainer%zero_gradients()
        call require(maxval(abs(gradients)) <= 0, "zero_gradients")
        call trainer%save(trim(argument) // "/trainer_f64.safetensors")
        call resumed%create(lstm, max_seq_len=1, max_batch=1, schedule=9, stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "schedule: a wlstm_schedule expected, got 9")
        call resumed%create(lstm, max_seq_len=1, max_batch=1, effort=9, stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "effort: a wlstm_effort expected, got 9")
        call resumed%create(lstm, max_seq_len=1, max_batch=1, schedule=WLSTM_SCHEDULE_GANGS, effort=WLSTM_EFFORT_MEASURE)
        call resumed%load(trim(argument) // "/trainer_f64.safetensors")
        call trainer%get_parameter("bias_ih_l1", bias)
        call resumed%get_parameter("bias_ih_l1", same)
        call require(maxval(abs(bias - same)) <= 0, "load")
        bias(1) = 3
        call resumed%set_parameter("bias_ih_l1", bias)
        call resumed%copy_to(lstm)
        call lstm%get_parameter("bias_ih_l1", same)
        call require(maxval(abs(bias - same)) <= 0, "copy_to")
        call resumed%memory(bytes, tape_bytes)
        call require(bytes > 0 .and. tape_bytes > 0, "memory")
    end subroutine

    ! An lstm's and a cell's precision, and a plan's that goes before.
    subroutine test_precision()
        type(wlstm_lstm) :: lstm
        type(wlstm_cell) :: cell
        type(wlstm_plan) :: plan
        call lstm%create(ni, nh)
        call lstm%set_precision(WLSTM_PRECISION_INT8)
        call plan%create(lstm, max_seq_len=nt, max_batch=nb)
        call require(index(plan%describe(), "-int8: ") > 0, plan%describe())
        call plan%create(lstm, max_seq_len=nt, max_batch=nb, precision=WLSTM_PRECISION_FULL, schedule=WLSTM_SCHEDULE_SERIAL)
        call require(index(plan%describe(), "-int8: ") == 0, plan%describe())
        call cell%create(ni, nh, dtype=WLSTM_F64)
        call cell%set_precision(WLSTM_PRECISION_BF16, stat)
        call require_refused(stat, WLSTM_ERROR_UNSUPPORTED, "precision: default or full expected with parameters of f64, got bf16")
    end subroutine

    ! There is no real that could hold its arrays.
    subroutine test_bfloat16()
        type(wlstm_lstm) :: lstm
        type(wlstm_cell) :: cell
        call lstm%create(ni, nh, dtype=WLSTM_BF16, stat=stat)
        call require_refused(stat, WLSTM_ERROR_UNSUPPORTED, "got WLSTM_BF16, of which Fortran has no real")
        call cell%load("/nowhere", dtype=WLSTM_BF16, stat=stat)
        call require_refused(stat, WLSTM_ERROR_UNSUPPORTED, "got WLSTM_BF16, of which Fortran has no real")
    end subroutine

    ! An lstm without its parameters, by a load and in place.
    subroutine test_cache_text()
        character(len=:), allocatable :: text, again
        call wlstm_plan_cache_export_text(text)
        call require(index(text, "wavelstm plan cache") > 0, "an exported text")
        call wlstm_plan_cache_import_text(text)
        call wlstm_plan_cache_export_text(again)
        call require(text == again, "an imported text")
        call wlstm_plan_cache_import_text("{", stat)
        call require_refused(stat, WLSTM_ERROR_FORMAT, "JSON expected")
    end subroutine

    subroutine test_layers()
        type(wlstm_lstm) :: lstm, below, above
        real(real32) :: x(ni, nb, nt), between(nh, nb, nt), out(nh, nb, nt), expected(nh, nb, nt)
        integer :: k
        character(len=:), allocatable :: path
        path = trim(argument) // "/fortran_layers.safetensors"
        x = reshape([(sin(real(k)), k = 1, size(x))], shape(x))
        call lstm%create(ni, nh, num_layers=3)
        call lstm%save(path)
        call lstm%forward(x, expected)
        call below%load(path, num_layers=1)
        call below%forward(x, between)
        call above%load(path, first_layer=1)
        call above%forward(between, out)
        call require(maxval(abs(out - expected)) < tiny(0.0), "layers by two parts")
        call below%load(path, first_layer=3, stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "first_layer: 0 to 2")
        call execute_command_line("rm " // path)
    end subroutine

    subroutine test_compact()
        type(wlstm_lstm) :: lstm, loaded
        type(wlstm_cell) :: cell, loaded_cell
        real(real32) :: x(ni, nb, nt), out(nh, nb, nt), expected(nh, nb, nt)
        integer :: k
        character(len=:), allocatable :: path
        path = trim(argument) // "/fortran_compact.safetensors"
        x = reshape([(sin(real(k)), k = 1, size(x))], shape(x))
        call lstm%create(ni, nh)
        call lstm%save(path)
        call lstm%set_precision(WLSTM_PRECISION_INT8)
        call lstm%forward(x, expected)
        call loaded%load(path, precision=WLSTM_PRECISION_INT8, compact=.true.)
        call loaded%forward(x, out)
        call require(maxval(abs(out - expected)) < tiny(0.0), "a compact load")
        call lstm%compact()
        call lstm%forward(x, out)
        call require(maxval(abs(out - expected)) < tiny(0.0), "compact in place")
        call lstm%save(path, stat=stat)
        call require_refused(stat, WLSTM_ERROR_UNSUPPORTED, "got a compact one")
        call cell%create(ni, nh)
        call cell%save(path)
        call loaded_cell%load(path, precision=WLSTM_PRECISION_BF16, compact=.true.)
        call execute_command_line("rm " // path)
        call cell%compact()
        call cell%reset_parameters(1_int64, stat)
        call require_refused(stat, WLSTM_ERROR_UNSUPPORTED, "got a compact one")
        call loaded_cell%set_precision(WLSTM_PRECISION_FULL, stat)
        call require_refused(stat, WLSTM_ERROR_UNSUPPORTED, "default or bf16")
    end subroutine

    ! Streams in another order than they were opened in are each as if alone; a state travels; a closed id is none.
    subroutine test_streams()
        type(wlstm_lstm) :: lstm
        type(wlstm_streams) :: streams
        integer(int64) :: ids(nb), closed
        real(real32) :: x(ni, nb, nt), out(np, nb, nt), expected(np, nb, nt), h(np, nl), c(nh, nl), other(np, nl)
        integer :: k
        x = reshape([(sin(real(k)), k = 1, size(x))], shape(x))
        out = 9
        call lstm%create(ni, nh, num_layers=nl, proj_size=np)
        call lstm%forward(x, expected)
        call streams%create(lstm, max_streams=nb, max_batch=2, num_threads=1, precision=WLSTM_PRECISION_FULL)
        call lstm%free() ! the streams keep what they need
        do k = 1, nb
            call streams%open(ids(k))
        end do
        call streams%step(ids(nb:1:-1), x(:, nb:1:-1, 1), out(:, :, 1))
        call require(maxval(abs(out(:, nb:1:-1, 1) - expected(:, :, 1))) < 1e-6, "a step")
        call streams%get_state(ids(1), h, c)
        call streams%run(ids, x(:, :, 2:), out(:, :, 2:), lengths=[3_int64, 2_int64, 1_int64])
        call require(maxval(abs(out(:, 1, 2:) - expected(:, 1, 2:))) < 1e-6, "a run")
        call require(all(abs(out(:, 3, 3:)) <= 0), "zero past a row's end")
        call streams%set_state(ids(2), h, c)
        call streams%step(ids(2:2), x(:, 1:1, 2), out(:, 1:1, 1))
        call require(maxval(abs(out(:, 1, 1) - expected(:, 1, 2))) < 1e-6, "a state that was set")
        call streams%set_state(ids(2), h)
        call streams%reset(ids(1))
        call streams%get_state(ids(1), other)
        call require(all(abs(other) <= 0) .and. any(abs(h) > 0), "reset")
        closed = ids(1)
        call streams%close(closed)
        call streams%open(ids(1))
        call streams%reset(closed, stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "id: an open stream's expected")
        call streams%open(closed, stat)
        call require_refused(stat, WLSTM_ERROR_OUT_OF_MEMORY, "all 3 of max_streams are open")
        call streams%step([ids(1), ids(2), ids(1)], x(:, :, 1), out(:, :, 1), stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "ids[2]: each stream once expected")
        call streams%step(ids(:2), x(:, :, 1), out(:, :, 1), stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "ids: size: 3 expected, got 2")
        call streams%run(ids, x, out(:, :, 2:), stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "out: dimension 3: 4 expected, got 3")
        call streams%get_state(ids(1), h(:, 1), stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "h: size: 6 expected, got 3")
    end subroutine

    subroutine test_streams_batch_first()
        type(wlstm_lstm) :: lstm
        type(wlstm_streams) :: streams
        integer(int64) :: ids(nb)
        real(real64) :: x(ni, nt, nb), out(nh, nt, nb), expected(nh, nt, nb)
        integer :: k
        x = reshape([(sin(real(k, real64)), k = 1, size(x))], shape(x))
        out = 9
        call lstm%create(ni, nh, batch_first=.true., dtype=WLSTM_F64)
        call lstm%forward(x, expected)
        call streams%create(lstm, nb)
        do k = 1, nb
            call streams%open(ids(k))
        end do
        call streams%step(ids, x(:, 1, :), out(:, 1, :))
        call streams%run(ids, x(:, 2:, :), out(:, 2:, :))
        call require(maxval(abs(out - expected)) < 1e-14_real64, "streams of batch_first")
    end subroutine

    ! x(I,T) and a cell's x(I) are a batch of one, batch_first or not.
    subroutine test_without_batch()
        type(wlstm_lstm) :: lstm, batch_first
        type(wlstm_plan) :: plan
        type(wlstm_cell) :: cell
        real(real64) :: x(ni, 1, nt), out(nh, 1, nt), row(nh, nt), h(nh, 1), c(nh, 1), h_row(nh), c_row(nh)
        integer :: k
        x = reshape([(sin(real(k, real64)), k = 1, size(x))], shape(x))
        call lstm%create(ni, nh, dtype=WLSTM_F64)
        call batch_first%create(ni, nh, batch_first=.true., dtype=WLSTM_F64)
        h = 0
        c = 0
        call lstm%forward(x, out, h, c)
        h_row = 0
        c_row = 0
        call lstm%forward(x(:, 1, :), row, h_row, c_row)
        call require(all(abs(row - out(:, 1, :)) <= 0), "x(I,T)")
        call require(all(abs(h_row - h(:, 1)) <= 0) .and. all(abs(c_row - c(:, 1)) <= 0), "h(H) and c(H)")
        row = 9
        call batch_first%forward(x(:, 1, :), row)
        call require(all(abs(row - out(:, 1, :)) <= 0), "x(I,T) of batch_first")
        call plan%create(lstm, max_seq_len=nt, max_batch=1, num_threads=1)
        row = 9
        call plan%execute(x(:, 1, :), row)
        call require(all(abs(row - out(:, 1, :)) < 1e-14_real64), "x(I,T) of a plan")

        call cell%create(ni, nh, dtype=WLSTM_F64)
        h = 0.5_real64
        c = 0.25_real64
        h_row = 0.5_real64
        c_row = 0.25_real64
        do k = 1, nt
            call cell%forward(x(:, :, k), h, c)
            call cell%forward(x(:, 1, k), h_row, c_row)
        end do
        call require(all(abs(h_row - h(:, 1)) <= 0) .and. all(abs(c_row - c(:, 1)) <= 0), "a cell's x(I), h(H), c(H)")
    end subroutine

    ! Any tensor by its name, in either kind, its shape in Fortran's order.
    subroutine test_tensors()
        type(wlstm_lstm) :: lstm
        real(real32) :: weight(ni, 4 * nh), read32(ni, 4 * nh)
        real(real64) :: read64(ni * 4 * nh)
        integer, allocatable :: sizes(:)
        character(len=:), allocatable :: path
        path = trim(argument) // "/fortran.safetensors"
        call lstm%create(ni, nh)
        call lstm%save(path, prefix="encoder.")
        call lstm%get_parameter("weight_ih_l0", weight)
        call wlstm_tensor_shape(path, "encoder.weight_ih_l0", sizes)
        call require(size(sizes) == 2 .and. all(sizes == [ni, 4 * nh]), "tensor_shape")
        call wlstm_tensor_read(path, "encoder.weight_ih_l0", read32)
        call require(all(abs(read32 - weight) <= 0), "tensor_read of real32")
        call wlstm_tensor_read(path, "encoder.weight_ih_l0", read64)
        call require(all(abs(reshape(read64, shape(weight)) - weight) <= 0), "tensor_read of real64")
        call wlstm_tensor_read(path, "encoder.weight_ih_l0", read64(2:), stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "count: 140 elements")
        call wlstm_tensor_shape(path, "weight_ih_l0", sizes, stat)
        call require_refused(stat, WLSTM_ERROR_MISSING, "'encoder.weight_ih_l0'")
        call execute_command_line("rm " // path)
    end subroutine

    subroutine test_errors()
        type(wlstm_lstm) :: lstm
        type(wlstm_cell) :: cell
        type(wlstm_plan) :: plan
        real(real32) :: x(ni, nb, nt), out(nh, nb, nt), h(nh, nb, nl)
        real(real64) :: x64(ni, nb, nt), out64(nh, nb, nt)
        x = 0
        x64 = 0
        call lstm%forward(x, out, stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "lstm")
        call lstm%create(ni, nh, dtype=WLSTM_BF16, stat=stat)
        call require_refused(stat, WLSTM_ERROR_UNSUPPORTED, "WLSTM_BF16")
        call lstm%load("/nowhere/model.safetensors", stat=stat)
        call require_refused(stat, WLSTM_ERROR_FILE, "/nowhere/model.safetensors")
        call lstm%create(ni, nh, num_layers=nl, stat=stat)
        call require(stat == WLSTM_OK, "stat of a success")
        call lstm%forward(x(2:, :, :), out, stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "x: dimension 1: 5 expected, got 4")
        call lstm%forward(x, out(:, :, 2:), stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "out: dimension 3: 4 expected, got 3")
        call lstm%forward(x(:, 1, :), out(:, 1, 2:), stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "out: dimension 2: 4 expected, got 3")
        call lstm%forward(x, out, h(:, :, 1), stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "h: size: 42 expected, got 21")
        call lstm%forward(x, out, lengths=[1_int64, 2_int64], stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "lengths: size: 3 expected, got 2")
        call lstm%forward(x, out, lengths=[1_int64, 2_int64, 5_int64], stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "lengths[2]: 1 to 4 expected, got 5")
        call lstm%forward(x64, out64, stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "x: real32 expected, got real64")
        call lstm%get_parameter("bias_l0", x, stat)
        call require_refused(stat, WLSTM_ERROR_MISSING, "bias_l0")
        call lstm%set_parameter("bias_ih_l0", x64, stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "values: real32 expected, got real64")
        call plan%create(lstm, max_seq_len=nt, max_batch=0, stat=stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "max_batch")
        call cell%create(ni, nh)
        call cell%forward(x(:, :, 1), h(:, :2, 1), h(:, :, 2), stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "h: size: 21 expected, got 14")
        call cell%forward(x(2:, 1, 1), h(:, 1, 1), h(:, 1, 2), stat)
        call require_refused(stat, WLSTM_ERROR_INVALID_ARGUMENT, "x: dimension 1: 5 expected, got 4")
    end subroutine
end program
