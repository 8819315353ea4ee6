//! Principals, credentials and authorize: the one place that says yes or no.
