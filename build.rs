//! A migration that is added changes no source file: without this the program would go on with those it had.
fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
