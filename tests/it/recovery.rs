//! The master key comes back from two sheets of paper, and whoever types them hears what is mistyped.

use crate::cli::desk::{Desk, Ran};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

fn path(desk: &Desk, name: &str) -> PathBuf {
    desk.folder.path().join(name)
}

fn read(desk: &Desk, name: &str) -> String {
    std::fs::read_to_string(path(desk, name)).unwrap()
}

/// A desk whose master key was split into `one.txt` and `two.txt`.
async fn with_sheets(name: &str) -> Desk {
    let desk = Desk::with_incident(name, "1").await;
    desk.duly("ann", &["key", "split", "--first", "one", "--second", "two"]).fine();
    desk
}

fn test(desk: &Desk, first: &str, second: &str) -> Ran {
    desk.duly("ann", &["key", "test-restore", "--first", first, "--second", second])
}

#[tokio::test]
async fn both_halves_open_the_database_and_restore_the_same_key_in_either_order() {
    let desk = with_sheets("sheets").await;
    for name in ["one.txt", "one.pdf", "two.txt", "two.pdf"] {
        assert_eq!(std::fs::metadata(path(&desk, name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert!(std::fs::read(path(&desk, "one.pdf")).unwrap().starts_with(b"%PDF"));
    let master = read(&desk, ".local/keys/master.key");
    assert!(!read(&desk, "one.txt").contains(&master) && !read(&desk, "two.txt").contains(&master));

    let shown = test(&desk, "one.txt", "two.txt").fine();
    assert!(shown.err.contains("opens all 2 keys") && shown.out.is_empty(), "{shown:?}");
    test(&desk, "two.txt", "one.txt").fine();
    assert!(!path(&desk, "again.key").exists());
    let restore = ["key", "restore", "--first", "two.txt", "--second", "one.txt", "--out", "again.key"];
    desk.duly("ann", &restore).fine();
    assert_eq!(read(&desk, "again.key"), master);
    assert_eq!(std::fs::metadata(path(&desk, "again.key")).unwrap().permissions().mode() & 0o777, 0o600);
    desk.duly("ann", &restore).refused("the file `again.key` cannot be made", "nothing is written over");
    desk.duly("ann", &["key", "split", "--first", "three", "--second", "two"])
        .refused("`two.txt` exists", "nothing is written over");
    assert!(!path(&desk, "three.txt").exists());
}

#[tokio::test]
async fn the_group_that_is_mistyped_is_named_and_wrong_halves_are_told_apart() {
    let desk = with_sheets("mistyped").await;
    let sheet = read(&desk, "two.txt");
    let line = sheet.lines().find(|line| line.starts_with("Groups  5 to  8:")).unwrap();
    let group = line.split_whitespace().nth(5).unwrap();
    // One letter for another is always noticed; a group that is wrong altogether fits by chance once in 32.
    let wrong = format!("{}{}", if group.starts_with('7') { '8' } else { '7' }, &group[1..]);
    desk.write("mistyped.txt", &sheet.replace(group, &wrong));
    test(&desk, "one.txt", "mistyped.txt").refused("`mistyped.txt`: group 6 is mistyped", "type it again");
    // As somebody types them from the paper: the groups alone.
    let groups: Vec<&str> = sheet.lines().filter_map(|l| l.strip_prefix("Groups")?.split_once(':').map(|l| l.1)).collect();
    desk.write("typed.txt", &groups.join("\n").to_lowercase());
    test(&desk, "typed.txt", "one.txt").fine();
    desk.write("short.txt", &groups[..3].join("\n"));
    test(&desk, "one.txt", "short.txt").refused("`short.txt`: 12 groups were given", "all four lines");

    test(&desk, "one.txt", "one.txt").refused("half 1 was given twice", "the other holder");
    desk.write("other.key", &"07".repeat(32));
    std::fs::set_permissions(path(&desk, "other.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let other = ["--set", "keys.master_file=other.key", "key", "split", "--first", "other-1", "--second", "other-2"];
    desk.duly("ann", &other).fine();
    test(&desk, "one.txt", "other-2.txt").refused("the halves belong to different keys", "fingerprint");
    desk.duly("ann", &["key", "split", "--first", "later-1", "--second", "later-2"]).fine();
    test(&desk, "one.txt", "later-2.txt").refused("the halves were not made together", "one split");
}

#[tokio::test]
async fn a_key_that_does_not_open_this_database_is_found() {
    let desk = with_sheets("other_database").await;
    desk.write("other.key", &"07".repeat(32));
    std::fs::set_permissions(path(&desk, "other.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let other = ["--set", "keys.master_file=other.key", "key", "split", "--first", "other-1", "--second", "other-2"];
    desk.duly("ann", &other).fine();

    let found = test(&desk, "other-1.txt", "other-2.txt");
    assert_eq!(found.code, 1, "{found:?}");
    assert!(found.err.contains("opens 0 of 2 keys in this database") && found.err.contains("\n\nhint: "), "{}", found.err);
    desk.duly("ann", &["key", "test-restore"]).refused("there is no terminal to ask", "files");
}
