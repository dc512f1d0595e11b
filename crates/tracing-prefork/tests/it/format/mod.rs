mod json;
mod layers;
mod same;
mod spans;
mod text;
