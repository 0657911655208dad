//! Development only: fakes of the ports, fixtures, a fixed clock.
