//! The product begins at a function of its own (src/entry.rs) and not at the C library's.

fn main() {
    println!("cargo:rustc-link-arg-bin=mycontainer=-Wl,-e,mycontainer_entry");
    println!("cargo:rerun-if-changed=build.rs");
}
