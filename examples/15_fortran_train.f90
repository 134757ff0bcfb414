! Trains an nn.LSTM(1, 32, proj_size=1) in Fortran, beside the simulation that makes its data: waves of several frequencies, whose
! next value it learns to tell from those so far.
!
!     out, _ = lstm(x)
!     loss = ((out - target) ** 2).mean()
!     optimizer.zero_grad(); loss.backward(); clip_grad_norm_(lstm.parameters(), 1.0); optimizer.step()
!
! The loss must fall to a twentieth, and the lstm that the parameters are copied into must give what the trainer gave.
program fortran_train_example
    use, intrinsic :: iso_fortran_env, only: int64, real64
    use wavelstm
    implicit none
    integer, parameter :: waves = 8, steps = 60, updates = 200
    type(wlstm_lstm) :: lstm
    type(wlstm_trainer) :: trainer
    real, target :: x(1, waves, steps), out(1, waves, steps) ! they stay as they are from a pass to its way back
    real :: target_values(1, waves, steps), d_out(1, waves, steps), again(1, waves, steps), loss, first, left
    integer(int64) :: begin, now, rate
    integer :: update

    call lstm%create(1, 32, proj_size=1)
    call trainer%create(lstm, max_seq_len=steps, max_batch=waves)
    first = 0
    call system_clock(begin, rate)
    do update = 1, updates
        call simulate(update)
        call trainer%forward(x, out)
        loss = sum((out - target_values)**2) / size(out)
        if (update == 1) first = loss
        d_out = 2 * (out - target_values) / size(out)
        call trainer%backward(d_out)
        call trainer%clip_gradients(1.0_real64)
        call trainer%update(WLSTM_OPTIMIZER_ADAM, lr=0.01_real64)
        call system_clock(now)
        left = real(now - begin) / real(rate) / real(update) * real(updates - update)
        if (mod(update, 40) == 0) print '(a, i3, a, i0, a, f8.5, a, f4.1, a)', &
            "update ", update, " of ", updates, "   loss ", loss, "   ", left, " s left"
    end do
    if (loss > first / 20) error stop "the loss has not fallen"

    call trainer%copy_to(lstm)
    call trainer%forward(x, out)
    call lstm%forward(x, again)
    if (maxval(abs(again - out)) > 1e-5) error stop "the lstm is not the trainer's"
    print '(a)', "the lstm has learned it"
    call trainer%free() ! what a main program holds is not freed at its end
    call lstm%free()

contains

    ! Waves that begin anywhere, and half of what each is a step later.
    subroutine simulate(seed)
        integer, intent(in) :: seed
        integer :: wave, step
        real :: phase, frequency
        do wave = 1, waves
            phase = 2.4 * real(seed) + 0.8 * real(wave)
            frequency = 0.1 + 0.05 * real(wave)
            do step = 1, steps
                x(1, wave, step) = sin(phase + frequency * real(step))
                target_values(1, wave, step) = 0.5 * sin(phase + frequency * real(step + 1))
            end do
        end do
    end subroutine
end program
