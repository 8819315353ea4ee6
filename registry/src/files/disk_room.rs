//! How much room the registry's disk has, and where that ends for pushes.

use disk::Room;

/// The low-water mark unless it is set: this part of the disk,
const LOW_WATER_PART: u64 = 20;
/// and at most so many bytes.
const MOST_LOW_WATER: u64 = 1 << 30;

/// The room of the registry's disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskRoom {
    /// All of it.
    pub total: u64,
    /// What is free.
    pub free: u64,
    /// Pushes are refused where they would leave less.
    pub low_water: u64,
}

impl DiskRoom {
    /// With the mark that is set, or the default one.
    pub(super) fn new(room: Room, low_water: Option<u64>) -> Self {
        let Room { total, free } = room;
        let default = (total / LOW_WATER_PART).min(MOST_LOW_WATER);
        Self { total, free, low_water: low_water.unwrap_or(default) }
    }

    /// Whether pushes are refused.
    pub fn is_low(&self) -> bool {
        self.free < self.low_water
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushes_leave_a_twentieth_of_the_disk_free_and_a_gibibyte_at_most() {
        let mark = |total, set| DiskRoom::new(Room { total, free: 0 }, set).low_water;
        assert_eq!(mark(20 << 20, None), 1 << 20);
        assert_eq!(mark(1 << 40, None), 1 << 30);
        assert_eq!(mark(1 << 40, Some(7)), 7);
    }
}
