//! Write a file durably or not at all.
