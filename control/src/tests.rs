//! What control promises.

mod table;
