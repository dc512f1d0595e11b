//! Finished files are handed over to the user's hook: each once, whichever process does it, and again only if that has
//! failed.

// A program that another test starts has copies of all descriptors for a moment, and with them their leases: what
// depends on an appender having let go of its file waits for that.
