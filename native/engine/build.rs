//! Compiles QuickJS-ng from the sources in the package rquickjs-sys, with one change: objects can be immortal.
//!
//! The program's heap lies in the executable (docs/decisions/0010-snapshot.md). An engine that counts references writes to
//! each object that it touches, and the first write to a page of the file makes a copy of it in memory, in every process.
//! So what is in the snapshot is marked as immortal and is not counted (docs/decisions/0016-immortal.md). The change is made
//! to a copy of the source, by rules that must match as often as they are known to: another version does not build unseen.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const PACKAGE: &str = "rquickjs-sys-0.14.0";
const ENGINE: &str = "quickjs.c";
const OTHER_SOURCES: [&str; 3] = ["libregexp.c", "libunicode.c", "dtoa.c"];
/// How the engine's source names the count of an object.
const COUNT: &str = "JS_REF_COUNT(";
/// Its definition of that; the functions that count instead (immortal.h) come after it.
const DEFINITION: &str = "#define JS_REF_COUNT(p) (js_rc(p)->ref_count)\n";
/// How often the source counts up, counts down, and counts down in an expression.
const KNOWN: [usize; 3] = [19, 2, 7];
/// How the engine says that it has an allocator of its own for small blocks. The host's (src/arena.rs) is to see each block.
const OWN_BLOCKS: &str = "#define JS_ARENA_LARGE_BLOCKS_ONLY 0\n";

/// The folder of the package, as cargo knows it.
fn find_package() -> PathBuf {
    let cargo = env::var_os("CARGO").expect("cargo sets CARGO");
    let metadata = Command::new(cargo)
        .args(["metadata", "--locked", "--format-version", "1"])
        .output()
        .expect("cargo can be run");
    let text = String::from_utf8_lossy(&metadata.stdout);
    let Some(end) = text.find(&format!("{PACKAGE}/Cargo.toml\"")) else {
        panic!(
            "cargo knows no {PACKAGE}: {}",
            String::from_utf8_lossy(&metadata.stderr)
        );
    };
    let start = text[..end].rfind('"').expect("a path is quoted") + 1;
    Path::new(&text[start..end]).join(PACKAGE)
}

/// The engine's source with `js_count_up` and `js_count_down` wherever it counts references.
fn with_immortal_objects(source: &str) -> String {
    assert!(
        source.contains(DEFINITION),
        "the engine defines {COUNT} otherwise"
    );
    let mut out = String::with_capacity(source.len());
    let mut found = [0; 3];
    let mut rest = source;
    while let Some(at) = rest.find(COUNT) {
        let end = at + rest[at..].find(')').expect("an argument ends") + 1;
        let argument = &rest[at + COUNT.len()..end];
        let after = rest[end..].get(..3).unwrap_or_default();
        let (kind, text, taken) = match after {
            "++;" => (Some(0), format!("js_count_up({argument}"), 2),
            "--;" => (Some(1), format!("js_count_down({argument}"), 2),
            _ if rest[..at].ends_with("--") => (Some(2), format!("js_count_down({argument}"), 0),
            _ => (None, rest[at..end].to_string(), 0),
        };
        out.push_str(&rest[..at]);
        if let Some(kind) = kind {
            found[kind] += 1;
            if kind == 2 {
                out.truncate(out.len() - 2);
            }
        }
        out.push_str(&text);
        rest = &rest[end + taken..];
    }
    out.push_str(rest);
    assert_eq!(found, KNOWN, "the engine counts references at other places");
    assert!(out.contains(OWN_BLOCKS), "the engine allocates otherwise");
    out.replace(OWN_BLOCKS, &OWN_BLOCKS.replace('0', "1"))
        .replacen(
            DEFINITION,
            &format!("{DEFINITION}#include \"immortal.h\"\n"),
            1,
        )
        + "\n#include \"freeze.h\"\n"
}

/// What Rust sees of the engine: the package's declarations for this target.
fn declarations(package: &Path) -> String {
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let read = |path: &str| {
        let path = package.join("src").join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    [
        read(&format!("bindings/{target}.rs")),
        read("inlines/ptr_64.rs"),
        read("inlines/common.rs"),
    ]
    .join("\n")
}

fn main() {
    let package = find_package();
    let sources = package.join("quickjs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let engine = fs::read_to_string(sources.join(ENGINE)).expect("the engine's source can be read");
    let changed = out.join(ENGINE);
    fs::write(&changed, with_immortal_objects(&engine)).expect("OUT_DIR can be written to");
    fs::write(out.join("declarations.rs"), declarations(&package))
        .expect("OUT_DIR can be written to");
    for own in ["build.rs", "immortal.h", "freeze.h"] {
        println!("cargo:rerun-if-changed={own}");
    }
    cc::Build::new()
        .extra_warnings(false)
        .warnings(false)
        .define("_GNU_SOURCE", None)
        // A command runs nearly every instruction for the first time: what is smaller is read sooner. The product lies at a fixed
        // address, so the code need not be able to lie elsewhere.
        .define("NDEBUG", None)
        .opt_level(2)
        .pic(false)
        .include(&sources)
        .include(".")
        .file(changed)
        .files(OTHER_SOURCES.map(|name| sources.join(name)))
        .compile("quickjs");
}
