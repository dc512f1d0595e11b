mod directories;
mod ownership;
mod settings;
