//! Side tables: what is known of nodes, by their ids.

use crate::syntax::ast::NodeId;

/// Values by node id. Ids are dense and mostly met in order, so it is a row of places and a row of values, which are
/// walked as the tree is, where a hash map would be jumped about in.
#[derive(Clone, Debug)]
pub struct Table<T> {
    /// For each node the place of its value and one; 0 where it has none.
    places: Vec<u32>,
    values: Vec<T>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { places: Vec::new(), values: Vec::new() }
    }
}

impl<T> Table<T> {
    /// The value of a node.
    pub fn get(&self, id: NodeId) -> Option<&T> {
        let place = *self.places.get(id.0 as usize)?;
        self.values.get((place as usize).checked_sub(1)?)
    }

    /// Sets the value of a node.
    pub fn insert(&mut self, id: NodeId, value: T) {
        let node = id.0 as usize;
        if self.places.len() <= node {
            self.places.resize(node + 1, 0);
        }
        let next = self.values.len() as u32 + 1;
        let Some(place) = self.places.get_mut(node) else { return };
        match (*place as usize).checked_sub(1).and_then(|at| self.values.get_mut(at)) {
            Some(known) => *known = value,
            None => {
                *place = next;
                self.values.push(value);
            }
        }
    }

    /// Sets the value of a node that has none yet.
    pub fn insert_once(&mut self, id: NodeId, value: T) {
        if self.get(id).is_none() {
            self.insert(id, value);
        }
    }

    /// Every value, in the order they were first set.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.values.iter()
    }
}
