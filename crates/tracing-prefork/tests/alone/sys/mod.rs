mod closing_all;
mod descriptors;
