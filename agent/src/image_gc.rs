//! Garbage collection of the images that were pulled through the mirror. An image is kept for a while after its last task, so
//! that a rollback or a scale-out needs no pull; images that came to the host in other ways are never removed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::Timestamp;

/// How long an image is kept after its last task.
const RETENTION: Duration = Duration::from_hours(1);

/// Since when each image that was pulled is needed by no task, by its name in Docker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ImageGc(BTreeMap<String, Timestamp>);

impl ImageGc {
    /// The images to remove of those that are there.
    pub(crate) fn collect(
        &mut self,
        pulled: &[String],
        needed: &BTreeSet<String>,
        now: Timestamp,
    ) -> Vec<String> {
        self.0.retain(|name, _| pulled.contains(name) && !needed.contains(name));
        for name in pulled.iter().filter(|name| !needed.contains(*name)) {
            self.0.entry(name.clone()).or_insert(now);
        }
        let over = self.0.iter().filter(|(_, since)| now.since(**since) >= RETENTION);
        over.map(|(name, _)| name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_goes_an_hour_after_its_last_task() {
        let at = |minutes| Timestamp::EPOCH.plus(Duration::from_mins(minutes));
        let pulled = ["new".to_owned(), "old".to_owned()];
        let needs = |name: &str| BTreeSet::from([name.to_owned()]);
        let mut gc = ImageGc::default();
        assert!(gc.collect(&pulled, &needs("old"), at(0)).is_empty());
        assert!(gc.collect(&pulled, &needs("new"), at(10)).is_empty());
        assert!(gc.collect(&pulled, &needs("new"), at(69)).is_empty());
        assert!(gc.collect(&pulled, &needs("old"), at(69)).is_empty(), "it is needed again");
        assert!(gc.collect(&pulled, &needs("new"), at(70)).is_empty());
        assert_eq!(gc.collect(&pulled, &needs("new"), at(130)), ["old"]);
        assert!(gc.collect(&pulled[..1], &needs("new"), at(200)).is_empty(), "it is gone");
    }
}
