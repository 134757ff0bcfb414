! An nn.LSTMCell(6, 16) in a time loop of one's own, in Fortran:
!
!     cell = nn.LSTMCell(6, 16)
!     for x_t in x:                       # one point: x_t [6]; all points: x_t [5, 6]
!         h, c = cell(x_t, (h, c))
!
! once for a single point, without a batch, once for all points of a grid as a batch. The point's states must be the same in both,
! and those of all points what an lstm of that one cell gives for the sequence at once.
program fortran_cell_example
    use wavelstm
    implicit none
    integer, parameter :: features = 6, hidden = 16, points = 5, steps = 20, here = 3
    type(wlstm_cell) :: cells(1)
    type(wlstm_lstm) :: lstm
    real :: x(features, points, steps), out(hidden, points, steps)
    real :: h(hidden), c(hidden), h_all(hidden, points), c_all(hidden, points), difference
    integer :: i, t

    call cells(1)%create(features, hidden) ! or: call cells(1)%load("model.safetensors", prefix="cell.")
    x = reshape([(sin(real(i)), i = 1, size(x))], shape(x))

    h = 0
    c = 0
    h_all = 0
    c_all = 0
    do t = 1, steps
        call cells(1)%forward(x(:, here, t), h, c) ! the new states take the old ones' place
        call cells(1)%forward(x(:, :, t), h_all, c_all)
    end do
    difference = maxval(abs([h - h_all(:, here), c - c_all(:, here)]))
    print '(a, i0, a, f9.6, a, es8.1)', "point ", here, ": h(1) ", h(1), ", alone and in the batch differ by", difference

    call lstm%create_from_cells(cells) ! copies the parameters
    call lstm%forward(x, out)
    difference = max(difference, maxval(abs(out(:, :, steps) - h_all)))
    call lstm%free() ! what a main program holds is not freed at its end
    call cells(1)%free()
    if (difference > 1e-5) error stop "as one lstm: different"
    print '(a)', "as one lstm: the same"
end program
