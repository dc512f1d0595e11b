mod date_format;
mod directories;
mod ownership;
