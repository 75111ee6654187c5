//! SQLite on disks that fail, at each of their operations in turn: what was acknowledged is there, what was refused is not
//! half there, and it goes on. `FLOW_FAULTS=full` tries every fault at every operation, `FLOW_FAULTS=eio`
//! that one alone; else a part of them.

mod engine;
mod host;
mod power;

use std::path::Path;

use crate::faults::{alone, clear, disk, full, hit, tell, wanted};
use host::Host;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Tries each fault at each operation of some work, up to where the work ends before; or at one in so many. `forget+2eio` is
/// a fault with another two operations later. Says how often one came.
fn sweep(under: &Path, faults: &[(&str, usize)], work: impl Fn(&Path)) {
    for (place, (fault, one_in)) in faults.iter().enumerate().filter(|(_, (fault, _))| wanted(fault)) {
        let step = if full() { 1 } else { *one_in };
        let mut came = 0;
        for number in (1 + place % step..).step_by(step) {
            let (first, then) = fault.split_once('+').unwrap_or((fault, ""));
            let (after, second) = then.split_at(then.find(char::is_alphabetic).unwrap_or(0));
            let then = if second.is_empty() { String::new() } else { format!("-{second}{after}") };
            let disk = disk(under, &format!("{first}{number}{then}"));
            work(&disk);
            let over = !hit(&disk);
            clear(&disk);
            if over {
                break;
            }
            came += 1;
        }
        tell(&format!("{fault}: {came}"));
        assert!(came > 0, "{fault}");
    }
}

#[test]
fn whatever_operation_fails_what_is_acknowledged_is_kept() {
    let faults = [("eio", 29), ("full", 31), ("short", 31), ("dead", 31), ("brim", 31), ("forget", 5), ("revert", 5)];
    alone("store::faults::whatever_operation_fails_what_is_acknowledged_is_kept", |under| {
        sweep(under, &faults, |disk| runtime().block_on(Host::new(disk).work(0)));
    });
}

/// And where the power fails after another fault.
#[test]
fn what_is_acknowledged_after_a_fault_is_on_the_disk() {
    let faults = [
        ("eio", 67),
        ("dead", 67),
        ("eio+9full", 67),
        ("eio+20eio", 67),
        ("forget", 9),
        ("revert", 9),
        ("forget+1eio", 1),
        ("revert+1eio", 4),
    ];
    alone("store::faults::what_is_acknowledged_after_a_fault_is_on_the_disk", |under| {
        sweep(under, &faults, |disk| {
            let mut host = Host::new(disk);
            runtime().block_on(host.work(if full() { 4 } else { 1 }));
            runtime().block_on(power::examine(disk, &host));
        });
    });
}

#[test]
fn whenever_the_power_fails_what_is_acknowledged_is_kept() {
    alone("store::faults::whenever_the_power_fails_what_is_acknowledged_is_kept", |under| {
        let disk = disk(under, if full() { "watch16" } else { "watch1" });
        let mut host = Host::new(&disk);
        runtime().block_on(host.work(0));
        let states = runtime().block_on(power::examine(&disk, &host));
        tell(&format!("power: {states} states"));
        clear(&disk);
    });
}
