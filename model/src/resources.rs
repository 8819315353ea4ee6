//! Resources as a vector of dimensions, and the one `fits` that planner, `apply` and agent share.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One dimension of what an instance has and a task reserves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Dimension {
    /// CPU in ECS units: 1024 is one core.
    Cpu,
    /// Memory in MiB.
    Memory,
    /// Any other countable resource, by name.
    Named(String),
}

impl From<String> for Dimension {
    fn from(text: String) -> Self {
        match text.as_str() {
            "CPU" => Self::Cpu,
            "MEMORY" => Self::Memory,
            _ => Self::Named(text),
        }
    }
}

impl From<Dimension> for String {
    fn from(dimension: Dimension) -> Self {
        dimension.to_string()
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("CPU"),
            Self::Memory => f.write_str("MEMORY"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// An amount in each dimension; a dimension that is not named is zero.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resources(BTreeMap<Dimension, u64>);

/// A dimension in which there is too little.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Shortfall {
    /// Which dimension.
    pub dimension: Dimension,
    /// What is asked for.
    pub needed: u64,
    /// What is left.
    pub free: u64,
}

impl Resources {
    /// CPU units and MiB of memory.
    pub fn new(cpu: u64, memory: u64) -> Self {
        Self::default().with(Dimension::Cpu, cpu).with(Dimension::Memory, memory)
    }

    /// The same with `amount` in `dimension`.
    #[must_use]
    pub fn with(mut self, dimension: Dimension, amount: u64) -> Self {
        if amount == 0 {
            self.0.remove(&dimension);
        } else {
            self.0.insert(dimension, amount);
        }
        self
    }

    /// The amount in one dimension.
    pub fn get(&self, dimension: &Dimension) -> u64 {
        self.0.get(dimension).copied().unwrap_or(0)
    }

    /// CPU units.
    pub fn cpu(&self) -> u64 {
        self.get(&Dimension::Cpu)
    }

    /// MiB of memory.
    pub fn memory(&self) -> u64 {
        self.get(&Dimension::Memory)
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        other.0.iter().fold(self.clone(), |sum, (dimension, amount)| {
            let total = sum.get(dimension).saturating_add(*amount);
            sum.with(dimension.clone(), total)
        })
    }

    /// What is left after `other` is taken; never below zero.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        other.0.iter().fold(self.clone(), |rest, (dimension, amount)| {
            let left = rest.get(dimension).saturating_sub(*amount);
            rest.with(dimension.clone(), left)
        })
    }

    /// Where `needed` is more than `self`, which is what is free. Empty means that it fits.
    pub fn shortfalls(&self, needed: &Self) -> Vec<Shortfall> {
        needed
            .0
            .iter()
            .filter(|(dimension, amount)| **amount > self.get(dimension))
            .map(|(dimension, amount)| Shortfall {
                dimension: dimension.clone(),
                needed: *amount,
                free: self.get(dimension),
            })
            .collect()
    }

    /// The dimensions that are not zero.
    pub fn iter(&self) -> impl Iterator<Item = (&Dimension, u64)> {
        self.0.iter().map(|(dimension, amount)| (dimension, *amount))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_named_with_need_and_rest() {
        let free = Resources::new(1024, 256);
        let short = free.shortfalls(&Resources::new(512, 512));
        assert_eq!(short, [Shortfall { dimension: Dimension::Memory, needed: 512, free: 256 }]);
        assert!(free.shortfalls(&Resources::new(1024, 256)).is_empty());
        let dimension = Dimension::Named("gpu".to_owned());
        let gpu = Resources::default().with(dimension.clone(), 1);
        assert_eq!(free.shortfalls(&gpu), [Shortfall { dimension, needed: 1, free: 0 }]);
    }

    #[test]
    fn taking_and_giving_back_changes_nothing() {
        let all = Resources::new(2048, 4096);
        let some = Resources::new(100, 7);
        assert_eq!(all.minus(&some).plus(&some), all);
    }
}
