//! One suite for every backend. Each function takes a fresh, empty store and panics where a
//! promise is broken.
