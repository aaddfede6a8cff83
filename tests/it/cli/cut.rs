//! What is cut or spoilt on its way in is said at once, and nobody of it is lost.

use super::desk::{Desk, TEXTS};
use crate::support::eventually;
use std::process::Command;

const ROWS: u32 = 30_000;

/// A list that takes some seconds.
fn long_list() -> String {
    let mut text = "external_reference,last_name,phone,address_1,town,postcode\n".to_owned();
    for row in 0..ROWS {
        text += &format!("L{row},Price,+44 7400 {row:06},{row} Long Street,Leeds,LS1 4AP\n");
    }
    text
}

async fn rows(desk: &Desk) -> i64 {
    let owner = sqlx::PgPool::connect(&desk.url).await.unwrap();
    sqlx::query_scalar("select count(*) from source_row").fetch_one(&owner).await.unwrap()
}

#[tokio::test]
async fn an_import_that_is_interrupted_says_where_it_stopped_and_goes_on_from_there() {
    let desk = Desk::with_incident("interrupted", "1").await;
    desk.write("long.csv", &long_list());
    let import = ["list", "import", "long.csv", "--incident", "cards"];
    let mut command = desk.command(&import);
    command.env("DULY_USER_KEY", "ann.key").env("DULY_PASSPHRASE_FILE", "ann.pass");
    let child = command.spawn().unwrap();
    eventually("some rows are taken in", async || rows(&desk).await > 0).await;

    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();

    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("error: the import was stopped at row ") && said.contains(" of 30,000"), "{said}");
    assert!(said.contains("run the same command again"), "{said}");
    let taken = rows(&desk).await;
    assert!(taken > 0 && taken < i64::from(ROWS), "{taken}");
    desk.duly("ann", &["plan", "prepare", "--incident", "cards", "--route", "letter"])
        .refused("list 1 is not whole", "--incomplete");

    let again = desk.duly("ann", &import).fine().out;
    assert!(again.starts_with("30,000 rows = "), "{again}");
    assert_eq!(rows(&desk).await, i64::from(ROWS));
}

#[tokio::test]
async fn a_text_that_no_letter_can_show_is_refused_with_its_name() {
    let desk = Desk::with_incident("spoilt", "1").await;
    let cases = [
        ("nul", TEXTS.replace("file was", "file\\u0000was")),
        ("bell", TEXTS.replace("file was", "file\\u0007was")),
        ("welsh", format!("{TEXTS}\n[cy]\nnature = \"Copiwyd\\u001bffeil.\"\n")),
    ];
    for (name, texts) in cases {
        desk.write("texts.toml", &texts);
        desk.duly("ann", &["incident", "add", name, "--controller", "northmere", "--texts", "texts.toml"])
            .refused("the text `nature` of `texts.toml` has control characters", "take them out");
    }
}
