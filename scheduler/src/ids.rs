//! Ids for what a plan makes: its random draw counted on, so that equal arguments give equal plans and what is made later
//! sorts later.

/// The ids from here on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids {
    /// The draw and the count in its lowest bits; 80 bits of it go into an id.
    next: u128,
}

impl From<[u8; 10]> for Ids {
    fn from(random: [u8; 10]) -> Self {
        Self { next: random.iter().fold(0, |all, byte| (all << 8) | u128::from(*byte)) }
    }
}

impl Ids {
    /// What makes the `n`th id from here unique.
    pub(crate) fn nth(self, n: usize) -> [u8; 10] {
        let mut random = [0; 10];
        random.copy_from_slice(&self.after(n).next.to_be_bytes()[6..]);
        random
    }

    /// The ids that are left when `count` of them are used.
    #[must_use]
    pub(crate) fn after(self, count: usize) -> Self {
        Self { next: self.next.wrapping_add(u128::try_from(count).unwrap_or(u128::MAX)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_counted_on_from_the_draw() {
        let ids = Ids::from([1, 2, 3, 4, 5, 6, 7, 8, 9, 255]);
        assert_eq!(ids.nth(0), [1, 2, 3, 4, 5, 6, 7, 8, 9, 255]);
        assert_eq!(ids.nth(1), [1, 2, 3, 4, 5, 6, 7, 8, 10, 0]);
        assert_eq!(ids.after(3).nth(0), ids.nth(3));
        assert_eq!(Ids::from([255; 10]).nth(1), [0; 10], "in a circle");
    }
}
