//! The whole way, on the real processes and real Docker; and the shape of the house.

mod tidy;
