//! What the engine promises, on programs made by hand: the evaluator's part is small, so that what fails here is
//! execution.

mod build;
mod cancel;
mod forms;
mod steps;
mod undo;
