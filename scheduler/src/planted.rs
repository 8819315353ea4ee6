//! Faults that a test can switch on, to see that the simulation finds each of them by what it breaks. A program has none of
//! them: there the switch is a constant.

/// A fault of the scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Healthy tasks are stopped however few are left.
    NoMinimum,
    /// Tasks are started however many there are.
    NoMaximum,
    /// A task counts as healthy as soon as one router says so.
    OneRouterIsEnough,
    /// Agents stop tasks that routers still send requests to.
    NoDrain,
    /// An address is free again while routers still have it.
    AddressWithoutWait,
    /// An image that failed is rolled out again and again.
    FailureForgotten,
    /// A deployment that fails is left as it is.
    NoRollback,
    /// An instance is waited for however long it is silent.
    NothingIsLost,
    /// A service that was removed stays without tasks.
    RemovedServiceStays,
    /// Instances that are away get new tasks.
    SilenceIsIgnored,
    /// A deployment counts as complete before its tasks are healthy.
    CompleteAtOnce,
    /// After a failure nothing is started for an hour.
    EndlessPause,
}

#[cfg(test)]
thread_local! {
    static SWITCHED_ON: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}

/// Switches one on for this thread, or all off.
#[cfg(test)]
pub(crate) fn switch(fault: Option<Fault>) {
    SWITCHED_ON.set(fault);
}

/// Whether it is switched on.
#[cfg(test)]
pub(crate) fn is_on(fault: Fault) -> bool {
    SWITCHED_ON.get() == Some(fault)
}

/// Never.
#[cfg(not(test))]
pub(crate) const fn is_on(_: Fault) -> bool {
    false
}
