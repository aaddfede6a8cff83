//! Notify's key and the token that is made of it anew for each call: it is valid for 30 seconds.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use time::OffsetDateTime;

/// Length of a UUID's text.
const UUID: usize = 36;

/// An API key: `{name}-{service id}-{secret}`, both UUIDs.
pub struct ApiKey {
    service: String,
    secret: SecretString,
}

impl ApiKey {
    /// Takes a key apart; `None` where it has not that form.
    pub fn parse(key: &SecretString) -> Option<Self> {
        let key = key.expose_secret().trim();
        let secret = key.get(key.len().checked_sub(UUID)?..)?;
        let service = key.get(key.len().checked_sub(2 * UUID + 1)?..key.len() - UUID - 1)?;
        let is_uuid = |text: &str| uuid::Uuid::try_parse(text).is_ok();
        (is_uuid(secret) && is_uuid(service)).then(|| Self { service: service.to_owned(), secret: secret.into() })
    }

    /// The service's UUID, which is no secret.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The JWT (HS256) of this moment.
    pub fn token(&self, now: OffsetDateTime) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let claims = format!(r#"{{"iss":"{}","iat":{}}}"#, self.service, now.unix_timestamp());
        let signed = format!("{}.{}", encode(r#"{"typ":"JWT","alg":"HS256"}"#), encode(&claims));
        // HMAC takes a key of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.secret.expose_secret().as_bytes()) else { return String::new() };
        mac.update(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::provider::tests::each_bit_changed;

    const KEY: &str = "my_test_key-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0";
    /// Made of Notify's own example key with another implementation.
    const TOKEN: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiIyNjc4NWEwOS1hYjE2LTRlYjAtODQwNy1hMzc0OTdhNTc1MDYiLCJpYXQiOjE1Njg4MTg1Nzh9.YT_aQYNif0l3HaPwy62Cj9g0qsYzjnj1K5pLwkELiFw";

    #[test]
    fn the_token_is_the_one_that_notify_expects() {
        let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        let token = |key: &str, seconds| ApiKey::parse(&key.to_owned().into()).unwrap().token(at(seconds));

        assert_eq!(token(KEY, 1_568_818_578), TOKEN);
        assert_ne!(token(KEY, 1_568_818_579), TOKEN);
        let (signed, signature) = TOKEN.rsplit_once('.').unwrap();
        let secret_at = KEY.len() - UUID;
        for at in (secret_at..KEY.len()).filter(|at| &KEY[*at..=*at] != "-") {
            let digit = if &KEY[at..=at] == "0" { "1" } else { "0" };
            let other = token(&format!("{}{digit}{}", &KEY[..at], &KEY[at + 1..]), 1_568_818_578);
            assert!(other.starts_with(signed) && !other.ends_with(signature), "{at}");
        }
    }

    /// As whoever has the secret would, with yet another implementation.
    #[test]
    fn the_token_holds_for_its_reader_and_not_with_one_bit_changed() {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &KEY.as_bytes()[KEY.len() - UUID..]);
        let token =
            ApiKey::parse(&KEY.to_owned().into()).unwrap().token(OffsetDateTime::from_unix_timestamp(1_568_818_578).unwrap());
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let holds = |signed: &[u8], signature: &[u8]| ring::hmac::verify(&key, signed, signature).is_ok();

        assert!(holds(signed.as_bytes(), &signature));
        for (bit, other) in each_bit_changed(&signature).enumerate() {
            assert!(!holds(signed.as_bytes(), &other), "{bit}");
        }
        for (bit, other) in each_bit_changed(signed.as_bytes()).enumerate() {
            assert!(!holds(&other, &signature), "{bit}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for key in ["", "sandbox-key", &KEY[13..], &KEY[..80], "é26785a09-ab16-4eb0-8407-a37497a57506-3d844edf"] {
            let has_two_ids = key.len() > 72;
            assert_eq!(ApiKey::parse(&key.to_owned().into()).is_some(), has_two_ids && key == &KEY[13..], "{key}");
        }
    }
}
