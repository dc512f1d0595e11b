mod build;
mod file_system;
