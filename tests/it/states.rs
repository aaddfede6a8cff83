//! The table of moves stands in the model and in the database, and both say the same.

use crate::support::world;
use duly::model::state::{MessageState, NoticeState};
use sqlx::Row;

#[tokio::test]
async fn the_database_and_the_model_allow_the_same_moves() {
    let world = world("states", 1).await;
    let owner = sqlx::PgPool::connect(&world.url).await.unwrap();
    let rows = sqlx::query("select from_state, to_state from message_move").fetch_all(&owner).await.unwrap();
    let stored: std::collections::HashSet<(String, String)> = rows.iter().map(|r| (r.get(0), r.get(1))).collect();

    let rows = sqlx::query("select from_state, to_state from notice_move").fetch_all(&owner).await.unwrap();
    let notices: std::collections::HashSet<(String, String)> = rows.iter().map(|r| (r.get(0), r.get(1))).collect();
    for &from in NoticeState::ALL {
        for &to in NoticeState::ALL {
            let allowed = notices.contains(&(from.as_str().to_owned(), to.as_str().to_owned()));
            assert_eq!(from.can_become(to), allowed, "{from} -> {to}");
        }
    }
    for &from in MessageState::ALL {
        for &to in MessageState::ALL {
            let allowed = stored.contains(&(from.as_str().to_owned(), to.as_str().to_owned()));
            assert_eq!(from.can_become(to), allowed, "{from} -> {to}");
        }
    }
}
