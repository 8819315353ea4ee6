//! Instances that do not take a task, counted by why.

use std::collections::BTreeMap;

use model::{FilterReason, FilteredInstances, Shortfall};

/// Counts equal reasons. Those that lack the same are one, with what the best of them has free.
pub(crate) fn count(reasons: impl Iterator<Item = FilterReason>) -> Vec<FilteredInstances> {
    let mut groups: BTreeMap<FilterReason, FilteredInstances> = BTreeMap::new();
    for reason in reasons {
        groups
            .entry(without_free(&reason))
            .and_modify(|group| {
                group.count += 1;
                group.reason = best(&group.reason, &reason);
            })
            .or_insert(FilteredInstances { count: 1, reason });
    }
    groups.into_values().collect()
}

/// The same wherever the same is lacking.
fn without_free(reason: &FilterReason) -> FilterReason {
    let FilterReason::InsufficientResources { shortfalls } = reason else { return reason.clone() };
    let shortfalls = shortfalls.iter().map(|short| Shortfall { free: 0, ..short.clone() });
    FilterReason::InsufficientResources { shortfalls: shortfalls.collect() }
}

/// In each dimension what the better of the two has; they lack the same.
fn best(one: &FilterReason, other: &FilterReason) -> FilterReason {
    let (
        FilterReason::InsufficientResources { shortfalls: one },
        FilterReason::InsufficientResources { shortfalls: other },
    ) = (one, other)
    else {
        return one.clone();
    };
    let better = |(one, other): (&Shortfall, &Shortfall)| Shortfall {
        free: one.free.max(other.free),
        ..one.clone()
    };
    FilterReason::InsufficientResources { shortfalls: one.iter().zip(other).map(better).collect() }
}

#[cfg(test)]
mod tests {
    use model::Dimension;

    use super::*;

    fn lack(free: [u64; 2]) -> FilterReason {
        let [cpu, memory] = free;
        let short = |dimension, free| Shortfall { dimension, needed: 100, free };
        FilterReason::InsufficientResources {
            shortfalls: vec![short(Dimension::Cpu, cpu), short(Dimension::Memory, memory)],
        }
    }

    #[test]
    fn equal_reasons_are_counted_and_of_what_lacks_the_best_is_kept() {
        let reasons = [
            FilterReason::NotConnected,
            lack([10, 90]),
            FilterReason::Draining,
            lack([50, 20]),
            FilterReason::NotConnected,
        ];
        let of = |count, reason| FilteredInstances { count, reason };
        assert_eq!(
            count(reasons.into_iter()),
            [
                of(2, lack([50, 90])),
                of(1, FilterReason::Draining),
                of(2, FilterReason::NotConnected)
            ],
            "what people can act on comes first"
        );
    }
}
