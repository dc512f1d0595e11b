mod directories;
mod ownership;
