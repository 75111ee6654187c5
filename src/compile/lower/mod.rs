//! Lowering: from checked trees to a [`Program`]. Names become slots, types are settled, arguments are put in order;
//! the checker has made sure that everything resolves, so nothing here can fail.

mod expr;
mod frame;
mod items;
mod pattern;
mod postfix;
mod record;
mod step;
mod stmt;
mod tests;

use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use crate::check::{Checked, ItemRef, Resolution};
use crate::compile::Analysis;
use crate::program::Program;
use crate::syntax::ast::NodeId;
use crate::types::{Signature, Text};

/// Lowers an analysis without errors.
pub(super) fn lower(analysis: &Analysis) -> Program {
    Lowering::of(analysis).program(analysis)
}

/// What lowering carries along.
struct Lowering<'a> {
    checked: &'a Checked,
    /// Places in [`Program::flows`].
    flows: FxHashMap<ItemRef, u32>,
    /// Places in [`Program::functions`].
    functions: FxHashMap<ItemRef, u32>,
    /// The tools met so far, in the order of [`Program::tools`].
    tools: IndexMap<Text, Arc<Signature>, FxBuildHasher>,
    /// The frames around the place at hand, innermost last: see `frame.rs`.
    frames: Vec<frame::Frame>,
    /// The blocks around the place at hand whose steps' paths are counted apart, innermost last: see `step.rs`.
    segments: Vec<step::Segments>,
    /// The parameters of the flow at hand, for `input`.
    params: Vec<(Text, NodeId)>,
    /// Steps whose value `prev` reads, so that it is kept though nothing names it.
    read_by_prev: FxHashSet<NodeId>,
}

impl<'a> Lowering<'a> {
    fn of(analysis: &'a Analysis) -> Self {
        let checked = &analysis.checked;
        let read_by_prev = checked
            .resolutions
            .values()
            .filter_map(|resolution| match resolution {
                Resolution::PrevSuccess(step) | Resolution::PrevValue(step) => Some(*step),
                _ => None,
            })
            .collect();
        Self {
            checked,
            flows: FxHashMap::default(),
            functions: FxHashMap::default(),
            tools: IndexMap::default(),
            frames: Vec::new(),
            segments: Vec::new(),
            params: Vec::new(),
            read_by_prev,
        }
    }

    fn resolution(&self, id: NodeId) -> Option<&'a Resolution> {
        self.checked.resolutions.get(id)
    }

    /// A tool's place in the program.
    fn tool(&mut self, signature: &Arc<Signature>) -> u32 {
        if let Some(index) = self.tools.get_index_of(&signature.name) {
            return index as u32;
        }
        self.tools.insert(signature.name.clone(), Arc::clone(signature));
        self.tools.len() as u32 - 1
    }
}
