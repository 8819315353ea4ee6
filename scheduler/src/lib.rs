//! Decides what should run where: a pure plan over State.
