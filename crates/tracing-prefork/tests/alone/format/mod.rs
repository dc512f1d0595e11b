mod callsites;
mod draws;
mod ends;
mod pairs;
mod random;
mod script;
mod values;
