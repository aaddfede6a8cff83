//! Letters as their providers show them: fetched once after they were taken, hashed, their pages counted and compared with
//! what was given. Asked by the harvest, apart from sending: nothing waits for it, and nothing is sent again because of it.

use super::draft;
use super::{DispatchError, Office};
use crate::model::causes::with_causes;
use crate::provider::{Account, Showing, ShownLetter, read_content};
use crate::store::shown::{Shown, Unshown};
use duly_letter::count_pages;
use futures::StreamExt;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Letters fetched at once.
const CONCURRENT: usize = 4;
/// Who names no time shows a letter so long: the least that a vendor says (Lob's links live 30 days).
const SHOWN_FOR: Duration = Duration::from_secs(30 * 86_400);
/// A PDF that is not counted by then counts as one that cannot be read.
const READ_WITHIN: Duration = Duration::from_secs(20);

/// Asks for the letters of a lane that are due, at most so many; whether there may be more.
pub async fn round(office: &Office, account: &Account, limit: i64) -> Result<bool, DispatchError> {
    let Some(promised) = account.capabilities().shows_letter else { return Ok(false) };
    let remembered = account.capabilities().retention.unwrap_or(SHOWN_FOR).min(SHOWN_FOR);
    let unshown = office.store.list_unshown(&account.name, remembered, limit).await?;
    let is_full = i64::try_from(unshown.len()).is_ok_and(|n| n >= limit);
    futures::stream::iter(unshown)
        .for_each_concurrent(CONCURRENT, |letter| async move {
            if let Err(error) = look(office, account, promised, &letter).await {
                tracing::warn!(message = %letter.message_id, error = with_causes(&error), "a letter as its provider shows it was not recorded");
            }
        })
        .await;
    Ok(is_full)
}

async fn look(office: &Office, account: &Account, promised: ShownLetter, letter: &Unshown) -> Result<(), DispatchError> {
    office.paces.ask(&account.name).await;
    office.store.insert_letter_asked(letter.incident, letter.message_id).await?;
    let pdf = match account.provider.fetch_letter(&letter.provider_id).await {
        Showing::Letter(pdf) => pdf,
        Showing::NotYet => return Ok(()),
        Showing::Elsewhere => {
            tracing::warn!(lane = account.name, message = %letter.message_id, "its provider shows the letter at a place that is not its own: not fetched");
            return Ok(());
        }
    };
    let drafts = office.store.list_drafts(&[letter.message_id]).await?;
    // Of what a restored database forgot, or whose person was erased meanwhile, there is nothing to compare with.
    let Some(draft) = drafts.first() else { return Ok(()) };
    let Some((ours, _)) = draft::frozen(office, draft).and_then(|frozen| read_content(frozen.bytes())) else { return Ok(()) };
    let sha256: [u8; 32] = Sha256::digest(&pdf).into();
    let is_same = ours == pdf;
    let (Some(given), Some(content)) = (count(ours).await, draft::commit_content(office, draft, &sha256)) else { return Ok(()) };
    let pages = count(pdf).await;
    let (ground, alarm) = judge(promised, is_same, given, pages);
    Ok(office.store.record_shown(letter, &Shown { content, given, pages, ground, alarm }).await?)
}

/// A stranger's file is read apart from all else: one that makes the reader fail, or takes too long, cannot be read.
async fn count(pdf: Vec<u8>) -> Option<u32> {
    let counting = tokio::task::spawn_blocking(move || count_pages(&pdf));
    tokio::time::timeout(READ_WITHIN, counting).await.ok()?.ok()?
}

/// The word of the event, and the alarm that it may be. Other bytes are none: providers write addresses and marks anew.
fn judge(promised: ShownLetter, is_same: bool, given: u32, pages: Option<u32>) -> (&'static str, Option<&'static str>) {
    match pages {
        None => ("unreadable", Some("shown_letter_unreadable")),
        Some(_) if is_same => ("same_bytes", None),
        Some(pages) if promised.fits(pages, given) => ("as_many_pages", None),
        Some(_) => ("other_pages", Some("shown_pages_differ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_is_said_of_equal_bytes_alone_and_another_number_of_pages_is_an_alarm() {
        let with_sheet = ShownLetter { added_min: 1, added_max: 2 };
        for (promised, is_same, pages, ground, alarms) in [
            (ShownLetter::AS_GIVEN, true, Some(2), "same_bytes", false),
            (ShownLetter::AS_GIVEN, false, Some(2), "as_many_pages", false),
            (ShownLetter::AS_GIVEN, false, Some(1), "other_pages", true),
            (ShownLetter::AS_GIVEN, false, Some(3), "other_pages", true),
            (with_sheet, false, Some(2), "other_pages", true),
            (with_sheet, false, Some(3), "as_many_pages", false),
            (with_sheet, false, Some(4), "as_many_pages", false),
            (with_sheet, false, Some(5), "other_pages", true),
            (ShownLetter::AS_GIVEN, false, None, "unreadable", true),
        ] {
            let (word, alarm) = judge(promised, is_same, 2, pages);
            assert_eq!((word, alarm.is_some()), (ground, alarms), "{pages:?}");
        }
    }

    #[tokio::test]
    async fn what_is_no_pdf_or_half_of_one_has_no_pages() {
        for bytes in [
            &b"%PDF-1.7 and nothing behind it"[..],
            b"",
            b"%PDF-1.7\n1 0 obj\n<</Type/Pages/Kids[1 0 R]/Count 9>>\nendobj\ntrailer<</Root 1 0 R>>",
        ] {
            assert_eq!(count(bytes.to_vec()).await, None);
        }
    }
}
