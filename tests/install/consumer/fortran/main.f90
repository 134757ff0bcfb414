! A program outside the tree: h after three steps of an LSTM made on the spot.
program consumer
    use wavelstm
    implicit none
    type(wlstm_lstm) :: lstm
    real :: x(5, 2, 3), out(4, 2, 3), h(4, 2, 1)
    x = 0.5
    h = 0
    call lstm%create(input_size=5, hidden_size=4)
    call lstm%forward(x, out, h)
    call lstm%free()
    if (any(abs(h(:, :, 1) - out(:, :, 3)) > 0) .or. all(abs(h) <= 0)) error stop "wrong result"
    print '(a, f9.6, 2a)', "h_n = ", h(1, 1, 1), " by wavelstm ", wlstm_version()
end program
