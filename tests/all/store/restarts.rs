//! PostgreSQL killed and started again, over and over, while a thousand runs write to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flowc::run::RunStore;
use flowc::run::journal::Standing;
use flowc::store::{PostgresOptions, PostgresStore};

use crate::store::server::{Death, Server, ask, own_server};
use crate::store::work::{Work, hold, program, random, say, start, until};
use crate::store::world::World;

/// How many of the thousand runs belong to who waits.
const PATIENT: i64 = 800;

/// Kills the server every now and then until it is told to stop, but not before something was written since it started, however
/// slow the machine is; gives how often.
fn killing(server: &Arc<Server>, (url, up): (&str, Duration), stop: &Arc<AtomicBool>) -> JoinHandle<usize> {
    let (server, url, stop) = (Arc::clone(server), url.to_owned(), Arc::clone(stop));
    let events = move || ask(&url, "SELECT sum(events) FROM workflow_runs")[0].parse::<usize>().unwrap();
    std::thread::spawn(move || {
        let mut deaths = 0;
        while !stop.load(Ordering::Relaxed) {
            let before = events();
            std::thread::sleep(up.mul_f64(0.5 + random()));
            while events() < before + 4_000 && !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(50));
            }
            server.dies(if deaths % 2 == 0 { Death::Immediate } else { Death::Kill });
            std::thread::sleep(Duration::from_millis(400).mul_f64(random()));
            server.starts();
            deaths += 1;
        }
        deaths
    })
}

/// Most of the runs belong to an engine that waits for the database, some to one that soon stops them, and takes them up
/// again. `FLOW_RESTART_SECONDS` has wave after wave of them, and restarts every few seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_runs_outlive_a_database_that_is_killed_again_and_again() {
    let Some(server) = own_server().map(Arc::new) else { return };
    let seconds = std::env::var("FLOW_RESTART_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let up = Duration::from_millis(if seconds.is_some() { 3_000 } else { 1_000 });
    let lasts = Duration::from_secs(if seconds.is_some() { 20 } else { 3 });
    let (began, mut deaths) = (Instant::now(), 0);
    loop {
        deaths += wave(&server, up, lasts).await;
        if began.elapsed() >= Duration::from_secs(seconds.unwrap_or(0)) {
            break;
        }
    }
    assert!(deaths >= 3, "{deaths} deaths");
}

async fn wave(server: &Arc<Server>, up: Duration, lasts: Duration) -> usize {
    let url = server.database();
    let open = async |patience| {
        let options = PostgresOptions { patience, lease: Duration::from_secs(60) };
        Arc::new(PostgresStore::connect_with(&url, options).await.unwrap()) as Arc<dyn RunStore>
    };
    let stores = [open(Duration::from_secs(60)).await, open(Duration::from_millis(400)).await];
    let work = [Work::lasting(lasts), Work::lasting(lasts)];
    let engines = [work[0].engine(Some(Arc::clone(&stores[0]))), work[1].engine(Some(Arc::clone(&stores[1])))];
    let _keepers = engines.each_ref().map(flowc::run::Engine::keep);
    for (engine, numbers) in engines.iter().zip([0..PATIENT, PATIENT..1_000]) {
        start(engine, &program(engine), numbers);
    }
    let count = |standing: Vec<Standing>| standing.iter().map(|flow| flow.runs).sum::<u64>();
    until("they began", async || count(stores[0].standing().await.unwrap()) == 1_000).await;
    let (began, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let killing = killing(server, (&url, up), &stop);
    until("they ended", async || stores[0].standing().await.is_ok_and(|standing| count(standing) == 0)).await;
    stop.store(true, Ordering::Relaxed);
    let deaths = killing.join().unwrap();
    let asked = url.clone();
    let world = World::new(Box::new(|| unreachable!()), Box::new(move |sql| ask(&asked, sql)));
    let calls = work.each_ref().map(|work| work.calls());
    let outcome = hold(&world, 1_000, &calls.concat()).await;
    say(&format!("{deaths} deaths in {:.1?}; {outcome:?}", began.elapsed()));
    assert_eq!(outcome.late.len(), 0, "no call was made again whose outcome was durable: {:?}", outcome.late);
    // Who waits has nothing to make again.
    let mut patient: Vec<_> = calls[0].iter().map(|call| (&call.run, &call.path)).collect();
    patient.sort_unstable();
    patient.dedup();
    assert_eq!((patient.len() as i64, calls[0].len() as i64), (PATIENT * 9, PATIENT * 9));
    assert!(outcome.taken > 0 && outcome.again > 0, "some runs stopped and went on");
    deaths
}
