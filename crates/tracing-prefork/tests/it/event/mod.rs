mod threads;
mod timer;
mod writer;
