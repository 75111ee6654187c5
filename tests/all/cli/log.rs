//! The log on standard error.

use super::{Bench, Ended};

const FLOW: &str = "flow f() -> int {
    step told = log.write(\"it goes well\", fields: { done: 1 })
    step detail = log.write(\"in detail\", level: \"debug\")
    return 1
}
";

fn run(log: Option<&str>) -> Ended {
    let bench = Bench::with("f.flow", FLOW);
    let mut command = bench.command(&["run", "f.flow"]);
    command.envs(log.map(|log| ("FLOW_LOG", log)));
    let run = Ended::from(command.output().unwrap()).exits(0);
    assert_eq!(run.out, "1\n");
    run
}

#[test]
fn what_flows_log_is_told_on_standard_error_as_far_as_it_is_wanted() {
    let usual = run(None).says(&["INFO it goes well run=\"", "path=\"told\" fields={\"done\":1}\n"]);
    assert!(!usual.err.contains("in detail"), "{}", usual.err);
    run(Some("debug")).says(&["INFO run:step: it goes well", "DEBUG run:step: in detail"]);
    assert!(!run(Some("flow=error")).err.contains("it goes well"));
    run(Some("a=b=c")).says(&["warning: `FLOW_LOG` is not understood", "it goes well"]);
}
