//! What adapters are held against from outside: the sandbox's faces, the vendors' documents.

mod documents;
mod faces;
mod shown;
