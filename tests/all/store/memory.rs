//! The reference: a journal in memory that forgets what was not committed.

use std::sync::Arc;

use flowc::run::MemoryJournal;

use crate::store::suite;
use crate::store::world::World;

fn world() -> World {
    let first = MemoryJournal::durable();
    World::new(Box::new(move || Arc::new(first.owner())), Box::new(|_| Vec::new()))
}

suite::over!(world);
