//! Frames and slots. A slot belongs to the scope that declared it and is used again when that scope has ended. A
//! branch has a frame of its own, into which the locals that it reads of the frames around it are copied when it
//! begins; such a copy keeps its slot for the whole branch.

use rustc_hash::FxHashMap;

use crate::compile::lower::Lowering;
use crate::program::{Capture, Slot};
use crate::syntax::ast::NodeId;

/// The frame of one flow of control while it is laid out.
#[derive(Default)]
pub(super) struct Frame {
    locals: FxHashMap<NodeId, Slot>,
    /// Slots in use by scopes that have not ended, outermost first.
    live: Vec<Slot>,
    /// Slots of scopes that have ended.
    free: Vec<Slot>,
    slots: u32,
    copies: Vec<(Slot, Slot)>,
}

impl Frame {
    /// A slot that nothing has used in this frame.
    fn fresh(&mut self) -> Slot {
        self.slots += 1;
        self.slots - 1
    }

    fn take(&mut self) -> Slot {
        let slot = self.free.pop().unwrap_or_else(|| self.fresh());
        self.live.push(slot);
        slot
    }
}

impl Lowering<'_> {
    /// Lowers something in a frame of its own that sees nothing around it; gives how many slots it has.
    pub(super) fn frame<T>(&mut self, lower: impl FnOnce(&mut Self) -> T) -> (T, u32) {
        let around = std::mem::take(&mut self.frames);
        let (lowered, capture) = self.branch(lower);
        self.frames = around;
        (lowered, capture.slots)
    }

    /// Lowers something in a frame of its own that begins with copies of what it reads of the frames around it.
    pub(super) fn branch<T>(&mut self, lower: impl FnOnce(&mut Self) -> T) -> (T, Capture) {
        self.frames.push(Frame::default());
        let lowered = lower(self);
        let frame = self.frames.pop().unwrap_or_default();
        (lowered, Capture { slots: frame.slots, copies: frame.copies })
    }

    /// Lowers something in a scope of its own: what it declares is gone afterwards, and its slots are free again.
    pub(super) fn scope<T>(&mut self, lower: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.frames.last().map_or(0, |frame| frame.live.len());
        let lowered = lower(self);
        if let Some(frame) = self.frames.last_mut() {
            frame.free.extend(frame.live.drain(before..).rev());
        }
        lowered
    }

    /// A slot for a value without a name, until the scope ends.
    pub(super) fn temp(&mut self) -> Slot {
        self.frames.last_mut().map_or(0, Frame::take)
    }

    /// Gives a local its slot, until the scope ends.
    pub(super) fn declare(&mut self, local: NodeId) -> Slot {
        let slot = self.temp();
        self.alias(local, slot);
        slot
    }

    /// Makes a local stand for a slot that is there already.
    pub(super) fn alias(&mut self, local: NodeId, slot: Slot) {
        if let Some(frame) = self.frames.last_mut() {
            frame.locals.insert(local, slot);
        }
    }

    /// The slot of a local in the frame at hand, captured from the frames around it where it is theirs.
    pub(super) fn local(&mut self, local: NodeId) -> Slot {
        let mut around = self.frames.iter().enumerate().rev();
        let owner = around.find_map(|(at, frame)| Some((at, *frame.locals.get(&local)?)));
        let Some((at, mut slot)) = owner else {
            debug_assert!(false, "the checker resolved a local that no scope declares");
            return self.temp();
        };
        for frame in self.frames.iter_mut().skip(at + 1) {
            let copy = frame.fresh();
            frame.copies.push((slot, copy));
            frame.locals.insert(local, copy);
            slot = copy;
        }
        slot
    }
}
