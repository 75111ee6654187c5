//! How often at most: a number where the text says it, else a sum of products of what is known only when it runs.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::types::Text;

/// An upper bound: a sum of terms, each a number times the lengths and parameters it grows with. Written
/// `3 × urls + 1`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    times: u64,
    /// In order, so that equal terms are found.
    of: Vec<Text>,
}

impl Bound {
    /// A plain number.
    pub fn exactly(times: u64) -> Self {
        Self { terms: if times == 0 { Vec::new() } else { vec![Term { times, of: Vec::new() }] } }
    }

    /// Something known only when it runs, by its name.
    pub fn unknown(name: impl Into<Text>) -> Self {
        Self { terms: vec![Term { times: 1, of: vec![name.into()] }] }
    }

    /// The number, where it is one.
    pub fn number(&self) -> Option<u64> {
        match self.terms.as_slice() {
            [] => Some(0),
            [Term { times, of }] if of.is_empty() => Some(*times),
            _ => None,
        }
    }

    /// Whether it is never.
    pub fn is_zero(&self) -> bool {
        self.terms.is_empty()
    }

    /// Both together.
    #[must_use]
    pub fn plus(mut self, other: &Bound) -> Bound {
        for term in &other.terms {
            match self.terms.iter_mut().find(|mine| mine.of == term.of) {
                Some(mine) => mine.times = mine.times.saturating_add(term.times),
                None => self.terms.push(term.clone()),
            }
        }
        self
    }

    /// One for each of the other.
    #[must_use]
    pub fn times(&self, other: &Bound) -> Bound {
        let mut product = Bound::default();
        for a in &self.terms {
            for b in &other.terms {
                let mut of: Vec<Text> = a.of.iter().chain(&b.of).cloned().collect();
                of.sort_unstable();
                let term = Term { times: a.times.saturating_mul(b.times), of };
                product = product.plus(&Bound { terms: vec![term] });
            }
        }
        product
    }

    /// The same with names replaced by what they stand for.
    #[must_use]
    pub fn given(&self, meaning: &dyn Fn(&str) -> Option<Bound>) -> Bound {
        self.terms.iter().fold(Bound::default(), |sum, term| {
            let product = term.of.iter().fold(Bound::exactly(term.times), |product, name| {
                product.times(&meaning(name).unwrap_or_else(|| Bound::unknown(name.clone())))
            });
            sum.plus(&product)
        })
    }

    /// Whichever is more: the larger of two numbers; where that cannot be told, both together, which is never less.
    #[must_use]
    pub fn or(self, other: &Bound) -> Bound {
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => Bound::exactly(a.max(b)),
            _ if other.within(&self) => self,
            _ if self.within(other) => other.clone(),
            _ => self.plus(other),
        }
    }

    /// Whether each of its terms is at most one of the other's.
    fn within(&self, other: &Bound) -> bool {
        self.terms.iter().all(|term| other.terms.iter().any(|more| more.of == term.of && term.times <= more.times))
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.terms.is_empty() {
            return f.write_str("0");
        }
        // The plain number stands last.
        let (grows, plain): (Vec<&Term>, Vec<&Term>) = self.terms.iter().partition(|term| !term.of.is_empty());
        for (at, term) in grows.into_iter().chain(plain).enumerate() {
            if at > 0 {
                f.write_str(" + ")?;
            }
            match (term.times, term.of.as_slice()) {
                (times, []) => write!(f, "{times}")?,
                (1, of) => f.write_str(&of.join(" × "))?,
                (times, of) => write!(f, "{times} × {}", of.join(" × "))?,
            }
        }
        Ok(())
    }
}

impl Serialize for Bound {
    /// A number where it is one, else its text.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.number() {
            Some(number) => to.serialize_u64(number),
            None => to.collect_str(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bound;

    #[test]
    fn sums_and_products_stay_readable() {
        let urls = Bound::unknown("urls");
        let calls = Bound::exactly(3).times(&urls).plus(&Bound::exactly(1));
        assert_eq!(calls.to_string(), "3 × urls + 1");
        assert_eq!(calls.clone().plus(&urls).to_string(), "4 × urls + 1");
        assert_eq!(calls.times(&Bound::exactly(2)).to_string(), "6 × urls + 2");
        assert_eq!(urls.times(&Bound::default()).to_string(), "0");
    }

    #[test]
    fn the_larger_of_two_is_the_sum_only_where_it_cannot_be_told() {
        let urls = Bound::unknown("urls");
        assert_eq!(Bound::exactly(2).or(&Bound::exactly(5)).number(), Some(5));
        assert_eq!(urls.clone().or(&Bound::exactly(3).times(&urls)).to_string(), "3 × urls");
        assert_eq!(urls.or(&Bound::exactly(2)).to_string(), "urls + 2");
    }
}
