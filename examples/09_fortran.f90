! The demo's model (examples/demo) in Fortran: an LSTM trained in PyTorch reads Seattle's weather, once as one sequence and once a
! day at a time; h_n and c_n must be PyTorch's own. The argument is the demo's folder.
program fortran_example
    use, intrinsic :: iso_fortran_env, only: real32, real64
    use wavelstm
    implicit none
    integer, parameter :: features = 4, first_day = 1066 ! from 0: 2 December 2014, where train.py starts
    character(len=512) :: folder
    type(wlstm_lstm) :: lstm
    type(wlstm_plan) :: plan
    integer :: hidden, layers, days, t
    real(real32), allocatable :: x(:,:,:), out(:,:,:), h(:,:,:), c(:,:,:), step_out(:,:,:)
    logical :: same

    call get_command_argument(1, folder)
    call lstm%load(trim(folder) // "/model.safetensors", prefix="lstm.") ! no stat: a failure stops the program
    call lstm%get_config(hidden_size=hidden, num_layers=layers)
    x = weather()
    days = size(x, 3)
    allocate(out(hidden, 1, days), step_out(hidden, 1, 1), h(hidden, 1, layers), c(hidden, 1, layers))

    h = 0
    c = 0
    call lstm%forward(x, out, h, c) ! h and c: h_0 and c_0 on entry, h_n and c_n on return
    print '(a, i0, a, f9.6)', "day ", days, ", first unit: ", out(1, 1, days)
    same = is_pytorchs("as one sequence:", h, c)

    call plan%create(lstm, max_seq_len=1, max_batch=1, num_threads=1)
    h = 0
    c = 0
    do t = 1, days
        call plan%execute(x(:, :, t:t), step_out, h, c)
    end do
    same = is_pytorchs("a day at a time:", h, c) .and. same
    print '(a)', plan%describe()
    call plan%free() ! what a main program holds is not freed at its end
    call lstm%free()
    deallocate(x, out, step_out, h, c)
    if (.not. same) error stop "different from PyTorch"

contains

    ! x(features, 1, days): how far each day is from what is usual for the date, in standard deviations, as in train.py.
    function weather() result(x)
        real(real32), allocatable :: x(:,:,:)
        real(real32) :: read_days(features, 1, 1000)
        real(real64) :: fitted(6, features), precipitation, value(features), phase, usual(features)
        character(len=80) :: line
        integer :: unit, status, day
        day = 0
        open(newunit=unit, file=trim(folder) // "/features.csv", status="old", action="read")
        read(unit, *)
        read(unit, *) fitted ! five harmonics and a standard deviation a feature
        close(unit)
        open(newunit=unit, file=trim(folder) // "/seattle-weather.csv", status="old", action="read")
        read(unit, *)
        do
            read(unit, '(a)', iostat=status) line ! 2012/01/01,0.0,12.8,5.0,4.7,drizzle
            if (status /= 0) exit
            read(line(index(line, ",") + 1:), *) precipitation, value(1), value(2), value(4)
            value(3) = log(1 + precipitation)
            phase = 2 * acos(-1.0_real64) * day / 365.25_real64
            usual = matmul([1.0_real64, cos(phase), sin(phase), cos(2 * phase), sin(2 * phase)], fitted(:5, :))
            day = day + 1
            if (day <= first_day) cycle
            read_days(:, 1, day - first_day) = real((value - usual) / fitted(6, :), real32)
        end do
        close(unit)
        x = read_days(:, :, :day - first_day)
    end function

    ! Within what torch.testing.assert_close allows float32.
    logical function is_pytorchs(way, h, c) result(same)
        character(len=*), intent(in) :: way
        real(real32), intent(in) :: h(:,:,:), c(:,:,:)
        real(real64) :: expected(2, size(h)), difference(2, size(h))
        integer :: unit
        open(newunit=unit, file=trim(folder) // "/expected_state.csv", status="old", action="read")
        read(unit, *)
        read(unit, *) expected ! a row a unit: h_n, c_n
        close(unit)
        difference(1, :) = abs(reshape(h, [size(h)]) - expected(1, :))
        difference(2, :) = abs(reshape(c, [size(c)]) - expected(2, :))
        same = all(difference <= 1e-5_real64 + 1.3e-6_real64 * abs(expected))
        print '(a, 2es8.1)', way // " largest differences of h_n and c_n from PyTorch's:", maxval(difference(1, :)), &
            maxval(difference(2, :))
    end function
end program
