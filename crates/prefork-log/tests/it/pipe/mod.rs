mod full;
mod lines;
mod options;
mod shared;
mod signals;
