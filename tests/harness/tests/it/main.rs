//! The checker finds what writers do wrong on purpose, as often as they do it, and nothing else.

mod archives;
mod checker;
mod limits;
mod line;
