//! What the engine promises, on programs made by hand: the evaluator's part is small, so that what fails here is
//! execution.

mod build;
mod cancel;
mod clock;
mod crash;
mod engine;
mod forms;
mod kept;
mod steps;
mod undo;

/// What waits for something should be small: a wide fan-out has one of these for each branch.
#[tokio::test]
async fn futures_are_small() {
    let program = build::program([build::flow("main", [])]);
    let (engine, _) = build::engine(crate::run::Limits::default());
    let log = crate::run::journal::Log::new("x".into(), "main".into(), None, Vec::new(), Vec::new());
    let run = crate::run::handle::Shared::new("x".into(), log, std::sync::Arc::clone(&engine.shared.clock));
    let name = "main".into();
    let machine = super::Machine::new(&program, &[], &engine.shared, &run, &name, jiff::Timestamp::UNIX_EPOCH, None);
    let mut strand = machine.strand();
    let step = build::step("a", build::call(build::ECHO, build::int(1)));
    let mut job = super::step::Job::of_step(&machine, &step, "a".into());
    let mut tally = super::retry::Tally::new();
    let label = "a".into();
    let block = build::block([]);
    let event = size_of::<crate::run::Event>();
    let strand_size = size_of::<super::Strand<'_>>();
    let block = size_of_val(&*super::block::block(&mut strand, &mut [], &block));
    let attempts = size_of_val(&super::retry::attempts(&mut strand, &mut [], &mut job));
    let tool = size_of_val(&super::call::tool(&strand, &mut job, 0, (&label, machine.began), &mut tally));
    let sizes = [
        ("event", event, 168),
        ("strand", strand_size, 88),
        ("block", block, 728),
        ("job with its attempts", attempts, 456),
        ("tool call", tool, 304),
    ];
    for (what, size, most) in sizes {
        assert!(size <= most, "a {what} takes {size} bytes, more than {most}");
    }
}
