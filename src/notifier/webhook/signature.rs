//! Signs a request as Standard Webhooks defines it: HMAC-SHA256 over the id, the time and the body.
//!
//! Sending it is left to `sender`.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::secret::Secret;

/// The prefix that marks a secret of a webhook.
const PREFIX: &str = "whsec_";
/// Bytes of a secret, as the specification bounds them.
const BYTES_MIN: usize = 24;
const BYTES_MAX: usize = 64;

/// A secret that signs requests. Its `Debug` shows `***`.
#[derive(Debug, Clone)]
pub(crate) struct SigningKey(Secret<Vec<u8>>);

impl SigningKey {
    /// Reads a secret: base64 (RFC 4648, section 4) of 24 to 64 bytes, with or without `whsec_`.
    ///
    /// # Errors
    /// Returns what is wrong with it. The text repeats no part of the secret.
    pub(crate) fn new(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let encoded = text.strip_prefix(PREFIX).unwrap_or(text);
        let bytes = BASE64
            .decode(encoded.as_bytes())
            .map_err(|_| "a secret must be whsec_ followed by base64 of 24 to 64 bytes")?;
        if !(BYTES_MIN..=BYTES_MAX).contains(&bytes.len()) {
            return Err("a secret must have 24 to 64 bytes");
        }
        Ok(Self(Secret::new(bytes)))
    }

    /// Returns the signature of a message at a time in seconds since 1970: `v1,` and base64.
    fn sign(&self, id: &str, seconds: i64, body: &str) -> Option<String> {
        // HMAC takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose()).ok()?;
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body.as_bytes());
        let signature = BASE64.encode(&mac.finalize().into_bytes());
        Some(format!("v1,{signature}"))
    }
}

/// Returns the value of the header `webhook-signature`: a signature of each key, the newest first.
pub(crate) fn signatures(keys: &[SigningKey], id: &str, seconds: i64, body: &str) -> String {
    let each = keys.iter().filter_map(|key| key.sign(id, seconds, body));
    each.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// The example of the specification and of its libraries.
    #[test]
    fn the_example_of_the_specification_has_its_signature() {
        let key = SigningKey::new(SECRET).unwrap();
        let body = r#"{"test": 2432232314}"#;
        let signed = signatures(&[key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_key_adds_a_signature_in_order() {
        let [one, two] = [SECRET, "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"]
            .map(|secret| SigningKey::new(secret).unwrap());
        let sign = |keys: &[SigningKey]| signatures(keys, "msg_1", 1, "{}");
        let [first, second] = [&one, &two].map(|key| sign(std::slice::from_ref(key)));
        assert_eq!(sign(&[one, two]), format!("{first} {second}"));
    }

    #[test]
    fn a_wrong_secret_is_refused_and_a_right_one_is_not_shown() {
        let short = BASE64.encode(&[7; 23]);
        let long = BASE64.encode(&[7; 65]);
        for text in [
            "",
            "whsec_",
            "hunter2",
            "whsec_!!!!",
            short.as_str(),
            long.as_str(),
        ] {
            let error = SigningKey::new(text).unwrap_err();
            assert!(
                text.is_empty() || !error.contains(text) || text == "whsec_",
                "{error}"
            );
        }
        let key = SigningKey::new(&format!(" {SECRET}\n")).unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey(***)");
    }
}
